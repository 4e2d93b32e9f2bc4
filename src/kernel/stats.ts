import { bpf } from "./bpf.ts";
import { enableStatsAttr } from "./bpf-attr.ts";
import { Fd } from "./fd.ts";

/** `BPF_STATS_RUN_TIME`. */
const RUN_TIME = 0;

/**
 * Makes the kernel count the runs of every program and their time (`BPF_ENABLE_STATS`, Linux 5.8), until the
 * descriptor is closed.
 * @throws {BpfError}
 */
export function enableStatistics(): Fd {
  return new Fd(bpf("BPF_ENABLE_STATS", enableStatsAttr.create({ type: RUN_TIME }), "run statistics"));
}
