import { fileURLToPath } from "node:url";

// A child process runs the toolkit's sources as well, whatever its working directory is.
process.env["TSX_TSCONFIG_PATH"] ??= fileURLToPath(new URL("../../tsconfig.json", import.meta.url));

/** Arguments with which Node runs TypeScript, for child processes of tests. */
export const TSX: readonly [string, string] = ["--import", import.meta.resolve("tsx")];
