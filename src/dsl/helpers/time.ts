import type { Scalar } from "../scalar.ts";
import { number, REMOVABLE, type Implementations } from "./call.ts";

/** The clocks. */
export interface TimeHelpers {
  /** Nanoseconds since boot, without time spent asleep. */
  ktimeGetNs(): Scalar<"u64">;
  /** Nanoseconds since boot, time asleep included (Linux 5.8). */
  ktimeGetBootNs(): Scalar<"u64">;
}

export const time: Implementations<TimeHelpers> = {
  ktimeGetNs: number("bpf_ktime_get_ns", "u64", REMOVABLE),
  ktimeGetBootNs: number("bpf_ktime_get_boot_ns", "u64", REMOVABLE),
};
