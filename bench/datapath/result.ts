/** One run's result: what `--json` prints. */
import type { Measurement } from "./measure.ts";

export interface Result {
  /** Kernel and processor. */
  readonly machine: string;
  readonly rounds: number;
  /** Those that were measured. */
  readonly programs: readonly string[];
  readonly measurements: readonly Measurement[];
  /** What the programs still remember after every socket was closed, at the greatest number of services. */
  readonly leftovers: readonly { readonly side: string; readonly entries: number }[];
  /** What was not measured, and why. */
  readonly notes: readonly string[];
}
