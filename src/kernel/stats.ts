import { bpf } from "./bpf.ts";
import { enableStatsAttr } from "./bpf-attr.ts";
import { Fd } from "./fd.ts";

/** `BPF_STATS_RUN_TIME`. */
const RUN_TIME = 0;

/**
 * Makes the kernel count the runs of every program and their time (`BPF_ENABLE_STATS`, Linux 5.8), until the
 * descriptor is closed.
 * @throws {BpfError}
 * @example
 * ```ts
 * import { cgroup, load, PROCEED } from "tsbpf";
 * import { enableStatistics, linux } from "tsbpf/kernel";
 *
 * using _statistics = enableStatistics();
 * using loaded = load([cgroup.connect4("allow", () => PROCEED)]);
 * console.log(linux.programInfo(loaded.program("allow").fd));
 * ```
 */
export function enableStatistics(): Fd {
  return new Fd(bpf("BPF_ENABLE_STATS", enableStatsAttr.create({ type: RUN_TIME }), "run statistics"));
}
