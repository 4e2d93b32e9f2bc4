import type { VerifierStatistics } from "../report/result.ts";

/**
 * The statistics at the end of a verifier log written at `BPF_LOG_STATS` (4).
 *
 * @returns `undefined` if the log has none.
 */
export function readStatistics(log: string): VerifierStatistics | undefined {
  const counts = /^processed (\d+) insns .*?total_states (\d+) peak_states (\d+)/m.exec(log);
  if (counts === null) return undefined;
  return {
    instructions: Number(counts[1]),
    states: Number(counts[2]),
    peakStates: Number(counts[3]),
    stackDepth: readStackDepth(log),
  };
}

/** Bytes of stack per function: `stack depth 8+32`, or since 7.x a line per function that ends in `stack 8`. */
function readStackDepth(log: string): number[] {
  const lines = [...log.matchAll(/^subprog \d+ .* stack (\d+)$/gm)].map(([, depth]) => Number(depth));
  return lines.length > 0 ? lines : (/^stack depth (\d[\d+]*)/m.exec(log)?.[1]?.split("+").map(Number) ?? []);
}
