import type { PinDirectory } from "../../loader/index.ts";
import { familyMaps } from "../apply/index.ts";
import { endpointText, protocolOf, type AddressFamily } from "../model/index.ts";
import { keyText, type ServiceKeyValue } from "../plan/index.ts";

/** The name of a service or of a part of one. */
export interface ServiceName {
  /** One of its addresses if the maps have no name. */
  readonly name: string;
  /** `tcp`, `udp`, `udplite`, or a number. */
  readonly protocol: string;
}

/**
 * The names of a family's services by index.
 * @throws {LoaderError} if the family is not balanced
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
