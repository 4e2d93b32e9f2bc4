import { Errno } from "./errors.ts";
import { discard, newElement, updateRefusal, type Element, type Store, type StoreShape } from "./store.ts";

/**
 * A hash table. An update of an element that is there puts a new value in its
 * place, as in the kernel: pointers to the old one are not to be used any more.
 * (There the memory may already belong to another key; here it is a fault.)
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

  /** Called before an element is added; 0, or the error of a full map. */
  protected makeRoom(): number {
    return this.table.size < this.shape.maxEntries ? 0 : -Errno.E2BIG;
  }
}

/**
 * A hash table that evicts. Here it is exact: a full map evicts the element
 * whose last use is longest ago, one at a time, where a use is a program's
 * lookup or any update, and user space's lookup is none. The kernel's is an
 * approximation: elements are only marked as used, a full map frees up to 128
 * unmarked ones at once, and each CPU keeps some free ones to itself, so there
 * a map may evict before it is full, and not the very oldest first.
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

  /** A JavaScript map keeps the order of insertion: the last used comes last. */
  #touch(hashed: string | number, element: Element): void {
    this.table.delete(hashed);
    this.table.set(hashed, element);
  }
}

/** Equal for equal bytes, and only for them, among keys of one length. */
export function hashKey(key: Uint8Array): string | number {
  if (key.length === 4) return key[0]! | (key[1]! << 8) | (key[2]! << 16) | (key[3]! << 24);
  let text = "";
  for (let i = 0; i < key.length; i++) text += String.fromCharCode(key[i]!);
  return text;
}
