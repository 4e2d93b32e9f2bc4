import { fileURLToPath } from "node:url";

// Makes child processes run the toolkit's sources too, in any working directory.
process.env["TSX_TSCONFIG_PATH"] ??= fileURLToPath(new URL("../../tsconfig.json", import.meta.url));

/** Node arguments that run TypeScript, for child processes of tests. */
export const TSX: readonly [string, string] = ["--import", import.meta.resolve("tsx")];
