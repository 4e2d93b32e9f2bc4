import type { SourceState } from "../model/index.ts";

/**
 * A source of services: yields whole desired states, each replacing the one
 * before it. It checks what it reads with `checkServices` and knows nothing of
 * maps or programs. It ends when it has no more states; closing its iterator
 * releases what it holds.
 *
 * @example
 * ```ts
 * import { Balancer, type Source } from "tsbpf/lb";
 *
 * const fixed: Source = {
 *   name: "fixed",
 *   async *[Symbol.asyncIterator]() {
 *     yield { services: [{ name: "web", protocol: "tcp", address: "10.96.0.10", port: 80, backends: [] }] };
 *   },
 * };
 * await using balancer = new Balancer({ pins: "/sys/fs/bpf/tsbpf" });
 * for await (const state of fixed) await balancer.apply(state);
 * ```
 */
export interface Source extends AsyncIterable<SourceState> {
  /** Names the source in messages: `file services.yaml`. */
  readonly name: string;
}
