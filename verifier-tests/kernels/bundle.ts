import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { cacheDirectory } from "./cache.ts";

/**
 * Bundles the suite into self-contained JavaScript files, since compiling TypeScript in an emulated guest would
 * take minutes. The bundle is inside the project, whose node_modules have the native libraries that cannot be
 * bundled.
 *
 * @returns The path of the suite, which is the same in the guest.
 */
export async function bundleSuite(): Promise<string> {
  const outdir = join(cacheDirectory, "suite");
  await build({
    entryPoints: ["guest", "take-over"].map((name) => fileURLToPath(new URL(`../${name}.ts`, import.meta.url))),
    outdir,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    external: ["@2060.io/ffi-napi", "@2060.io/ref-napi", "ref-struct-di"],
    // Bundled CommonJS packages load Node's modules with require.
    banner: {
      js:
        'import { createRequire as bundleRequire } from "node:module"; ' +
        "const require = bundleRequire(import.meta.url);",
    },
    logLevel: "error",
  });
  return join(outdir, "guest.mjs");
}
