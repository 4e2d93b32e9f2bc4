import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { cacheDirectory } from "./cache.ts";

/**
 * Makes one JavaScript file of the suite. In an emulated guest, compiling each
 * TypeScript file at start-up would take minutes. It lies inside the project,
 * whose node_modules have the native libraries that cannot be bundled.
 *
 * @returns Its path, which is the same in the guest.
 */
export async function bundleSuite(): Promise<string> {
  const outfile = join(cacheDirectory, "suite", "guest.mjs");
  await build({
    entryPoints: [fileURLToPath(new URL("../guest.ts", import.meta.url))],
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    external: ["ffi-napi", "ref-napi", "ref-struct-di"],
    // Bundled CommonJS packages ask for Node's own modules with require.
    banner: { js: 'import { createRequire as bundleRequire } from "node:module"; const require = bundleRequire(import.meta.url);' },
    sourcemap: "inline",
    logLevel: "error",
  });
  return outfile;
}
