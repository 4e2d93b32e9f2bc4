/** The result of one run, as printed by `--json`. */
import type { Measurement } from "./measure.ts";

export interface Result {
  /** Kernel and processor. */
  readonly machine: string;
  readonly rounds: number;
  /** The measured programs. */
  readonly programs: readonly string[];
  readonly measurements: readonly Measurement[];
  /** Flows still remembered after all sockets were closed, at the largest number of services. */
  readonly leftovers: readonly { readonly side: string; readonly entries: number }[];
  /** Missing measurements, with the reason. */
  readonly notes: readonly string[];
}
