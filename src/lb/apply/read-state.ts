import type { SlotValue, State } from "../plan/index.ts";
import { keyText } from "../plan/index.ts";
import type { FamilyMaps } from "./maps.ts";

/**
 * Reads what the maps of a family hold.
 * @throws {BpfError}
 */
export function readState(maps: FamilyMaps): State {
  const names = new Map(Array.from(maps.serviceNames, ([key, { name }]) => [keyText(key), { key, name }]));
  const slotCount = maps.slots.maxEntries;
  const frontEnds = Array.from(maps.services, ([key, value]) => {
    const text = keyText(key);
    const name = names.get(text)?.name;
    names.delete(text);
    const { base, count } = value.range;
    return { key, value, name, slots: base + count > slotCount ? [] : shared(maps.slots.getRange(base, count)) };
  });
  return {
    frontEnds,
    strayNames: Array.from(names.values(), ({ key }) => key),
    members: [...maps.backends],
    settings: [...maps.backendSettings],
    filter: nonZero(maps.serviceFilter),
    allocation: maps.allocation.get(0) ?? { nextSlot: 0, nextRevNatIndex: 0 },
    serviceRoom: Math.min(maps.services.maxEntries, maps.serviceNames.maxEntries),
    memberRoom: maps.backends.maxEntries,
    slotCount,
  };
}

const nonZero = (filter: Iterable<readonly [number, bigint]>): Map<number, bigint> =>
  new Map([...filter].filter(([, bits]) => bits !== 0n));

/** The same slots, with one object for equal ones: a Maglev table has thousands of slots for a few backends. */
function shared(slots: readonly SlotValue[]): readonly SlotValue[] {
  const known = new Map<string, SlotValue>();
  return slots.map((slot) => {
    const other = known.get(slot.address);
    if (other?.port === slot.port && other.state === slot.state) return other;
    known.set(slot.address, slot);
    return slot;
  });
}
