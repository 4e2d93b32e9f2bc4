/** What the kernel's maps say at the moment. */
import type { backends, services, slots } from "../../programs/maps.ts";
import type { MapKey, MapValue } from "../loader/index.ts";
import type { allocation } from "./maps.ts";
import { endpointText, protocolOf, type ServiceDefinition } from "./service.ts";

export type ServiceKeyValue = MapKey<typeof services>;
export type ServiceValue = MapValue<typeof services>;
export type SlotValue = MapValue<typeof slots>;
export type MemberKey = MapKey<typeof backends>;
/** A backend of a service that flows may stay with: the element of the backends map. */
export type Member = readonly [key: MemberKey, state: MapValue<typeof backends>];

/** A service as the maps have it. */
export interface StoredService {
  readonly key: ServiceKeyValue;
  readonly value: ServiceValue;
  /** What its slots hold; empty where they lie outside of the map. */
  readonly backends: readonly SlotValue[];
  /** Absent where the maps name none. */
  readonly name: string | undefined;
}

export interface State {
  readonly services: readonly StoredService[];
  /** Names without a service: left by a command that was killed. */
  readonly strayNames: readonly ServiceKeyValue[];
  /** The backends that flows may stay with. */
  readonly members: readonly Member[];
  readonly allocation: MapValue<typeof allocation>;
  /** Entries that the services map has room for. */
  readonly serviceRoom: number;
  /** Entries that the backends map has room for. */
  readonly memberRoom: number;
  /** Entries of the slots map. */
  readonly slotCount: number;
}

/** A key in a form that can be compared. */
export function keyText({ address, port, protocol, scope }: ServiceKeyValue): string {
  return `${address}:${port}/${protocol}/${scope}`;
}

/** The same for a member. */
export function memberText({ address, port, revNatIndex }: MemberKey): string {
  return `${revNatIndex}/${address}:${port}`;
}

/**
 * A stored service in the form in which it is asked for; one without a name is
 * called by its address. Undefined for what no configuration can ask for.
 */
export function definitionOf({ key, name, backends }: StoredService): ServiceDefinition | undefined {
  const protocol = protocolOf(key.protocol);
  if (protocol === undefined || key.scope !== 0) return undefined;
  return { name: name ?? `${endpointText(key)}/${protocol}`, address: key.address, port: key.port, protocol, backends };
}
