/**
 * `npm run fuzz:core -- [COUNT] [SEED]`: random CO-RE relocations through this
 * reader and through libbpf, 10,000 by default. Needs root, gcc and libbpf-dev.
 * Exit code 1 where they differ.
 */
import { compareWithLibbpf } from "./core-libbpf.ts";

const BATCH = 1000;

const count = Number(process.argv[2] ?? 10_000);
const seed = Number(process.argv[3] ?? Math.floor(Math.random() * 2 ** 31));
console.log(`seed ${seed}, ${count} cases`);
const sums = { relocated: 0, refused: 0, missing: 0, differences: 0 };
for (let done = 0; done < count; done += BATCH) {
  const { relocated, refused, missing, differences } = compareWithLibbpf(Math.min(BATCH, count - done), seed + done);
  sums.relocated += relocated;
  sums.refused += refused;
  sums.missing += missing;
  sums.differences += differences.length;
  for (const difference of differences.slice(0, 10)) console.error(difference);
}
console.log(
  `both relocated ${sums.relocated}, both refused ${sums.refused}; instructions for what the target lacks: ` +
    `${sums.missing}`,
);
console.log(sums.differences === 0 ? "no differences" : `${sums.differences} differences`);
if (sums.differences > 0) process.exitCode = 1;
