/**
 * `npm run fuzz:asm -- [COUNT] [SEED]`: compares random instructions, 100,000 by
 * default, in this assembler and LLVM's. Exit code 1 where they differ.
 */
import { hasTool } from "../../testing/index.ts";
import { assemble } from "../assemble.ts";
import { decode } from "../decode.ts";
import { encode } from "../encode.ts";
import { formatListing } from "../text/listing.ts";
import { parseAssembly } from "../text/parse.ts";
import { compareWithLlvm, LLVM_TOOLS } from "./llvm.ts";
import { randomInstructions } from "./random-instruction.ts";

const BATCH = 20_000;

const count = Number(process.argv[2] ?? 100_000);
const seed = Number(process.argv[3] ?? Math.floor(Math.random() * 2 ** 31));
console.log(`seed ${seed}, ${count} instructions`);
const absent = LLVM_TOOLS.filter((tool) => !hasTool(tool));
if (absent.length > 0) {
  console.error(`nothing to compare with; not installed: ${absent.join(", ")} (Debian package llvm-19)`);
  process.exit(1);
}
let failed = false;
const sums = { assembled: 0, givenAsBytes: 0, disassembled: 0 };
for (let done = 0; done < count; done += BATCH) {
  const instructions = randomInstructions(Math.min(BATCH, count - done), seed + done);
  const bytes = encode(instructions);
  const text = formatListing(decode(bytes));
  const again = encode(assemble(parseAssembly(text)));
  if (Buffer.compare(bytes, again) !== 0 || formatListing(decode(again)) !== text) {
    console.error(`batch with seed ${seed + done}: text and bytes do not round-trip`);
    failed = true;
  }
  const result = compareWithLlvm(instructions);
  sums.assembled += result.assembled;
  sums.givenAsBytes += result.givenAsBytes;
  sums.disassembled += result.disassembled;
  for (const difference of result.differences.slice(0, 20))
    console.error(`batch with seed ${seed + done}: ${difference}`);
  failed ||= result.differences.length > 0;
}
console.log(
  `assembled by both ${sums.assembled}, given to LLVM as bytes ${sums.givenAsBytes}, ` +
    `disassembled by both ${sums.disassembled}`,
);
if (failed) process.exitCode = 1;
else console.log("no differences");
