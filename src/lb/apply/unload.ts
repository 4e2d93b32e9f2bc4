import { checkManager, PinDirectory } from "../../loader/index.ts";
import { exclusively } from "./lock.ts";
import { OWNER } from "./pins.ts";

/** What was removed, by name. */
export interface UnloadResult {
  readonly links: readonly string[];
  readonly programs: readonly string[];
  readonly maps: readonly string[];
}

/**
 * Detaches the load balancer's programs and removes its pins with their
 * directory. Sockets that are connected to a backend stay connected.
 *
 * @param pins the pin directory
 * @returns undefined if nothing is loaded
 * @throws {LoaderError} if the directory belongs to something else; nothing changes
 * @throws {LoadBalancerError} if another process keeps the directory locked
 *
 * @example
 * ```ts
 * import { unloadLoadBalancer } from "tsbpf/lb";
 *
 * const removed = await unloadLoadBalancer("/sys/fs/bpf/tsbpf");
 * console.log(removed?.programs ?? "nothing was loaded");
 * ```
 */
export async function unloadLoadBalancer(pins: string): Promise<UnloadResult | undefined> {
  checkManager();
  return exclusively(
    () => PinDirectory.open(pins, OWNER)?.directory,
    (directory) => (directory === undefined ? undefined : PinDirectory.open(directory, OWNER)?.removeAll()),
  );
}
