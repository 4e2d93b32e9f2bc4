import { checkManager, PinDirectory } from "../../loader/index.ts";
import { detachLinks, flowsInReverseMap } from "./detach.ts";
import { exclusively } from "./lock.ts";
import { builtOptions, reservedPortsMap } from "./maps.ts";
import { OWNER } from "./pins.ts";
import { releasePorts, type UnreservedPorts } from "./reserve-ports.ts";

/** The removed objects, by name. */
export interface UnloadResult {
  readonly links: readonly string[];
  readonly programs: readonly string[];
  readonly maps: readonly string[];
  /** Paths of what something else has put among the pins. It stays, and so does the directory. */
  readonly foreignPins: readonly string[];
  /** Ports that are still reserved in the kernel, since it could not be changed; undefined if there are none. */
  readonly stillReservedPorts: UnreservedPorts | undefined;
}

/** Options of unloading. */
export interface UnloadOptions {
  /** Skips the grace for answers in flight: they come from the backend's address. Default: false. */
  readonly now?: boolean | undefined;
}

/**
 * Detaches the load balancer's programs and removes its pins with their
 * directory. Programs that redirect calls go first. Those that translate
 * replies follow 2 seconds later, or as soon as no datagram socket has a flow,
 * so that answers in flight still come from the service's address. Ports that
 * were reserved for services are released. Sockets that are connected to a
 * backend stay connected to it.
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
export async function unloadLoadBalancer(pins: string, { now }: UnloadOptions = {}): Promise<UnloadResult | undefined> {
  checkManager();
  return exclusively(
    () => PinDirectory.open(pins, OWNER)?.directory,
    async (directory) => {
      const opened = directory === undefined ? undefined : PinDirectory.open(directory, OWNER);
      if (opened === undefined) return undefined;
      const links = await detachLinks(opened, opened.names("links"), {
        now,
        flowsInReverseMap: flowsInReverseMap(storedBuild(opened)),
      });
      const stillReservedPorts = release(opened);
      const foreignPins = opened.foreign();
      const { programs, maps } = opened.removeAll();
      return { links: links.sort(), programs, maps, foreignPins, stillReservedPorts };
    },
  );
}

/** The text of the stored build; empty if there is none. */
function storedBuild(pins: PinDirectory): string {
  if (!pins.names("maps").includes(builtOptions.name)) return "";
  using built = pins.map(builtOptions);
  return built.get(0)?.json ?? "";
}

function release(pins: PinDirectory): UnreservedPorts | undefined {
  if (!pins.names("maps").includes(reservedPortsMap.name)) return undefined;
  using map = pins.map(reservedPortsMap);
  return releasePorts(map);
}
