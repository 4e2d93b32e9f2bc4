import { Errno } from "./errors.ts";
import { discard, newElement, updateRefusal, type Element, type Store, type StoreShape } from "./store.ts";

/**
 * A hash table. Updating an existing element replaces its value, as in the kernel, and pointers to the old
 * value become invalid. In the kernel the old memory may already belong to another key; here using it is a
 * fault.
 */
export class HashStore implements Store {
  protected readonly shape: StoreShape;
  protected readonly table = new Map<string | number, Element>();

  constructor(shape: StoreShape) {
    this.shape = shape;
  }

  lookup(key: Uint8Array, _use: boolean): Element | undefined {
    return this.table.get(hashKey(key));
  }

  update(key: Uint8Array, values: readonly (Uint8Array | undefined)[], flags: number): number {
    const hashed = hashKey(key);
    const old = this.table.get(hashed);
    const refusal = updateRefusal(flags, old !== undefined);
    if (refusal !== 0) return refusal;
    if (old !== undefined && this.shape.copies > 1) {
      values.forEach((value, cpu) => value !== undefined && old.values[cpu]!.bytes.set(value));
      return 0;
    }
    if (old === undefined) {
      const room = this.makeRoom();
      if (room !== 0) return room;
    } else {
      discard(old, "which was replaced by an update of its key");
    }
    this.table.set(hashed, newElement(this.shape, key, values));
    return 0;
  }

  delete(key: Uint8Array): number {
    const hashed = hashKey(key);
    const old = this.table.get(hashed);
    if (old === undefined) return -Errno.ENOENT;
    discard(old, "which was deleted");
    this.table.delete(hashed);
    return 0;
  }

  elements(): Iterable<Element> {
    return this.table.values();
  }

  /** Called before an element is added. Returns 0, or the error for a full map. */
  protected makeRoom(): number {
    return this.table.size < this.shape.maxEntries ? 0 : -Errno.E2BIG;
  }
}

/**
 * A hash table that evicts. The simulator is exact: a full map evicts its least recently used element. Lookups
 * by programs and all updates count as use; lookups by user space do not. The kernel approximates: it only
 * marks elements as used, frees up to 128 unmarked ones at once, and keeps free elements per CPU. It may
 * therefore evict before the map is full, and not strictly the oldest element.
 */
export class LruHashStore extends HashStore {
  override lookup(key: Uint8Array, use: boolean): Element | undefined {
    const hashed = hashKey(key);
    const element = this.table.get(hashed);
    if (use && element !== undefined) this.#touch(hashed, element);
    return element;
  }

  override update(key: Uint8Array, values: readonly (Uint8Array | undefined)[], flags: number): number {
    const error = super.update(key, values, flags);
    const hashed = hashKey(key);
    const element = this.table.get(hashed);
    if (error === 0 && element !== undefined) this.#touch(hashed, element);
    return error;
  }

  protected override makeRoom(): number {
    if (this.table.size >= this.shape.maxEntries) {
      for (const [hashed, oldest] of this.table) {
        discard(oldest, "which was evicted from the full map");
        this.table.delete(hashed);
        break;
      }
    }
    return 0;
  }

  /** A JavaScript map keeps insertion order, so the last used element is last. */
  #touch(hashed: string | number, element: Element): void {
    this.table.delete(hashed);
    this.table.set(hashed, element);
  }
}

/** A JavaScript map key for these bytes, unique among keys of one length. */
export function hashKey(key: Uint8Array): string | number {
  if (key.length === 4) return key[0]! | (key[1]! << 8) | (key[2]! << 16) | (key[3]! << 24);
  let text = "";
  for (let i = 0; i < key.length; i++) text += String.fromCharCode(key[i]!);
  return text;
}
