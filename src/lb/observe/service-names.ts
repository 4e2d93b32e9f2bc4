import type { PinDirectory } from "../../loader/index.ts";
import { familyMaps } from "../apply/maps.ts";
import { endpointText, protocolOf, type AddressFamily } from "../model/service.ts";
import { keyText, type ServiceKeyValue } from "../plan/index.ts";

/** A service, or a part of one, as people know it. */
export interface ServiceName {
  /** One of its addresses, where the maps name none. */
  readonly name: string;
  /** `tcp`, `udp`; a number for any other. */
  readonly protocol: string;
}

/**
 * The services of a family by their indices.
 * @throws {LoaderError} where the family is not balanced
 * @throws {BpfError}
 */
export function serviceNames(pins: PinDirectory, family: AddressFamily): Map<number, ServiceName> {
  const { services, serviceNames: named } = familyMaps[family];
  using serviceMap = pins.map(services);
  using nameMap = pins.map(named);
  const names = new Map(Array.from(nameMap, ([key, { name }]) => [keyText(key), name]));
  const keys = new Map<number, ServiceKeyValue>();
  for (const [key, { revNatIndex }] of serviceMap) keys.set(revNatIndex, key);
  return new Map(
    Array.from(keys, ([index, key]) => [
      index,
      {
        name: names.get(keyText(key)) ?? endpointText(key),
        protocol: protocolOf(key.protocol) ?? String(key.protocol),
      },
    ]),
  );
}
