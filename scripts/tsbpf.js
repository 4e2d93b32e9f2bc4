/**
 * `npm run tsbpf` and its like: runs the build, which starts in a fraction of the time, unless it is absent or older
 * than the sources; then the sources, by tsx.
 */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../", import.meta.url)).replace(/\/$/, "");

async function whyNotBuilt() {
  if (!existsSync(`${root}/dist/src/build-age.js`)) return "there is none";
  const { outdatedBuild } = await import("../dist/src/build-age.js");
  return outdatedBuild(root);
}

const why = await whyNotBuilt();
if (why === undefined) {
  await import("../dist/src/cli/tsbpf.js");
} else {
  process.stderr.write(`note: running the sources, not the build (${why}); npm run build makes this start faster\n`);
  const { register } = await import("tsx/esm/api");
  register({ tsconfig: `${root}/tsconfig.json` });
  await import("../src/cli/tsbpf.ts");
}
