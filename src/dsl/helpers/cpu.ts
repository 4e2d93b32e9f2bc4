import type { Scalar } from "../scalar.ts";
import { number, PURE, REMOVABLE, type Implementations } from "./call.ts";

/** The CPU that the program runs on, and random numbers. */
export interface CpuHelpers {
  /** A random number; each call gives another. */
  getPrandomU32(): Scalar<"u32">;
  /** The number of the CPU, from 0 on. */
  getSmpProcessorId(): Scalar<"u32">;
}

export const cpu: Implementations<CpuHelpers> = {
  getPrandomU32: number("bpf_get_prandom_u32", "u32", REMOVABLE),
  getSmpProcessorId: number("bpf_get_smp_processor_id", "u32", PURE),
};
