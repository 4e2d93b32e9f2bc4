/** The long run: `npm run fuzz:compiler [programs [seed]]`, 10,000 programs by default. Needs root on Linux. */
import { checkRandomPrograms } from "./check-random-programs.ts";

const runs = Number(process.argv[2] ?? 10_000);
const seed = Number(process.argv[3] ?? Date.now() & 0x7fffffff);
console.log(`${runs} programs, seed ${seed}`);
const start = performance.now();
const { plain, optimised } = checkRandomPrograms(runs, seed);
const seconds = ((performance.now() - start) / 1000).toFixed(1);
console.log(`all agree; ${plain} instructions unoptimised, ${optimised} optimised, ${seconds} s`);
