/** Writes docs/api: `npm run docs:api`. */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./doors.ts";
import { pages } from "./pages.ts";

const directory = join(ROOT, "docs/api");
mkdirSync(directory, { recursive: true });
const written = pages();
for (const file of readdirSync(directory)) if (!written.has(file)) rmSync(join(directory, file));
for (const [file, text] of written) writeFileSync(join(directory, file), text);
