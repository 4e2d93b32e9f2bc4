/** The pins of the load balancer. */
import { PinDirectory } from "../../loader/index.ts";
import { LoadBalancerError, type AddressFamily } from "../model/index.ts";
import { familyMaps } from "./maps.ts";

/** Marks a pin directory as the load balancer's. */
export const OWNER = "tsbpf load balancer";

/**
 * The pins of a loaded load balancer.
 * @returns undefined if nothing is loaded
 * @throws {LoaderError} if the directory belongs to something else
 */
export function loadedPins(directory: string): PinDirectory | undefined {
  const pins = PinDirectory.open(directory, OWNER);
  return pins === undefined || pins.names("links").length === 0 ? undefined : pins;
}

/** The error for "nothing is loaded". */
export function nothingLoaded(directory: string): LoadBalancerError {
  return new LoadBalancerError(`nothing is loaded: there are no pins at ${directory}`, {
    hint: "load it with tsbpf load, or name another directory with --pin",
  });
}

/** The address families whose map is pinned. `services` is pinned for each balanced family. */
export function pinnedFamilies(
  pins: PinDirectory,
  map: "services" | "metrics" | "connections" = "services",
): AddressFamily[] {
  const pinned = new Set(pins.names("maps"));
  return (Object.keys(familyMaps) as AddressFamily[]).filter((family) => pinned.has(familyMaps[family][map].name));
}

/** The sizes of pinned maps by name. @throws {BpfError} */
export function pinnedSizes(pins: PinDirectory, names: readonly string[]): Record<string, number> {
  return Object.fromEntries(names.map((name) => [name, pins.mapInfo(name).maxEntries]));
}
