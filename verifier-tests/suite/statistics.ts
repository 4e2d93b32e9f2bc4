import type { VerifierStatistics } from "../report/result.ts";

/**
 * The statistics at the end of a verifier log that was written at
 * `BPF_LOG_STATS` (4).
 *
 * @returns `undefined` where the log has none.
 */
export function readStatistics(log: string): VerifierStatistics | undefined {
  const counts = /^processed (\d+) insns .*?total_states (\d+) peak_states (\d+)/m.exec(log);
  if (counts === null) return undefined;
  const depth = /^stack depth ([\d+]+)/m.exec(log)?.[1]?.split("+").map(Number) ?? [];
  return { instructions: Number(counts[1]), states: Number(counts[2]), peakStates: Number(counts[3]), stackDepth: depth };
}
