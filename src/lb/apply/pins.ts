/** The load balancer that is loaded, as its pins have it. */
import { PinDirectory } from "../../loader/index.ts";
import { LoadBalancerError } from "../model/error.ts";
import { familyMaps } from "./maps.ts";
import type { AddressFamily } from "../model/service.ts";

/** Whose the directory of pins is. */
export const OWNER = "tsbpf load balancer";

/**
 * The pins of what is loaded.
 * @returns undefined where nothing is
 * @throws {LoaderError} where the directory is not ours
 */
export function loadedPins(directory: string): PinDirectory | undefined {
  const pins = PinDirectory.open(directory, OWNER);
  return pins === undefined || pins.names("links").length === 0 ? undefined : pins;
}

/** Says so to who asked about it. */
export function nothingLoaded(directory: string): LoadBalancerError {
  return new LoadBalancerError(`nothing is loaded: there are no pins at ${directory}`, {
    hint: "load it with tsbpf load, or name another directory with --pin",
  });
}

/** The address families of which a map is pinned; `services` is there for each that is balanced. */
export function pinnedFamilies(pins: PinDirectory, map: "services" | "metrics" = "services"): AddressFamily[] {
  const pinned = new Set(pins.names("maps"));
  return (Object.keys(familyMaps) as AddressFamily[]).filter((family) => pinned.has(familyMaps[family][map].name));
}
