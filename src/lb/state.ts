/** What the kernel's maps say at the moment, and the maps that only user space reads. */
import { ServiceKey, type Service, type Slot } from "../../programs/maps.ts";
import { array, hash, MapFlag, SchemaError, struct, u16, u32, u8, type ArraySchema, type Infer } from "../types/index.ts";
import { MAX_NAME_BYTES } from "./service.ts";

/** UTF-8 in `size` bytes, filled up with zero bytes; a string in user space. */
function text(size: number): ArraySchema<typeof u8, string> {
  return {
    kind: "array",
    element: u8,
    length: size,
    size,
    align: 1,
    read(view, offset) {
      const bytes = new Uint8Array(view.buffer, view.byteOffset + offset, size);
      const end = bytes.indexOf(0);
      return new TextDecoder().decode(bytes.subarray(0, end < 0 ? size : end));
    },
    write(view, offset, value) {
      const bytes = new TextEncoder().encode(value);
      if (bytes.length > size) throw new SchemaError(`${JSON.stringify(value)} takes ${bytes.length} bytes, but ${this} holds ${size}`);
      const target = new Uint8Array(view.buffer, view.byteOffset + offset, size);
      target.fill(0);
      target.set(bytes);
    },
    toString: () => `char[${size}]`,
  };
}

/**
 * Names of services. No program reads it: a name is for people, and would only
 * make the services map's values larger for every connect. It is a map, pinned
 * beside the others, because all other state is there too: what survives the
 * command, what a later version takes over, and what unloading takes away.
 * Memory is taken for the names that exist, not for the map's size.
 */
export const serviceNames = hash("service_names", {
  key: ServiceKey,
  value: struct("lb4_service_name", { name: text(MAX_NAME_BYTES + 1) }),
  maxEntries: 65_536,
  flags: MapFlag.NO_PREALLOC,
});

/**
 * Where allocation goes on. No program reads it. Kept so that slots and indices
 * come into use again as late as can be, over many runs of the command too.
 */
export const allocation = array("allocation", {
  value: struct("lb4_allocation", { nextSlot: u32, nextRevNatIndex: u16 }),
  maxEntries: 1,
});

export type ServiceKeyValue = Infer<typeof ServiceKey>;
export type ServiceValue = Infer<typeof Service>;
export type SlotValue = Infer<typeof Slot>;

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
  readonly allocation: Infer<typeof allocation.value>;
  /** Entries of the slots map. */
  readonly slotCount: number;
}

/** A key in a form that can be compared. */
export function keyText({ address, port, protocol, scope }: ServiceKeyValue): string {
  return `${address}:${port}/${protocol}/${scope}`;
}
