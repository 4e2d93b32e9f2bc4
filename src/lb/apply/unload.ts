/** The load balancer out of the kernel. */
import { checkManager, PinDirectory } from "../../loader/index.ts";
import { exclusively } from "./lock.ts";
import { OWNER } from "../observe/index.ts";

/** What was taken away, by name. */
export interface UnloadResult {
  readonly links: readonly string[];
  readonly programs: readonly string[];
  readonly maps: readonly string[];
}

/**
 * Detaches the programs that are pinned in a directory, takes away all pins and
 * the directory. Sockets that are connected to a backend stay so.
 *
 * @returns undefined where nothing is loaded
 * @throws {LoaderError} where the directory is not ours; nothing was changed
 */
export async function unloadLoadBalancer(pins: string): Promise<UnloadResult | undefined> {
  checkManager();
  return exclusively(
    () => PinDirectory.open(pins, OWNER)?.directory,
    (directory) => (directory === undefined ? undefined : PinDirectory.open(directory, OWNER)?.removeAll()),
  );
}
