import { Errno } from "./errors.ts";
import { hashKey } from "./hash.ts";
import { discard, newElement, updateRefusal, type Element, type Store, type StoreShape } from "./store.ts";

/**
 * A trie of prefixes. A key is a `u32` with the prefix length in bits, followed by the data, most significant
 * bit first. A lookup finds the longest matching prefix that is no longer than the key's own length.
 */
export class LpmTrieStore implements Store {
  readonly #shape: StoreShape;
  /** By prefix length, then by the prefix's bits. */
  readonly #prefixes = new Map<number, Map<string | number, Element>>();
  #size = 0;

  constructor(shape: StoreShape) {
    this.#shape = shape;
  }

  lookup(key: Uint8Array): Element | undefined {
    const longest = prefixLength(key);
    if (longest > this.#bits) return undefined;
    for (let length = longest; length >= 0; length--) {
      const found = this.#prefixes.get(length)?.get(prefixOf(key, length));
      if (found !== undefined) return found;
    }
    return undefined;
  }

  update(key: Uint8Array, values: readonly (Uint8Array | undefined)[], flags: number): number {
    const length = prefixLength(key);
    if (length > this.#bits) return -Errno.EINVAL;
    let sameLength = this.#prefixes.get(length);
    if (sameLength === undefined) this.#prefixes.set(length, (sameLength = new Map<string | number, Element>()));
    const prefix = prefixOf(key, length);
    const old = sameLength.get(prefix);
    const refusal = updateRefusal(flags, old !== undefined);
    if (refusal !== 0) return refusal;
    if (old !== undefined) discard(old, "which was replaced by an update of its key");
    else if (this.#size === this.#shape.maxEntries) return -Errno.ENOSPC;
    else this.#size++;
    sameLength.set(prefix, newElement(this.#shape, key, values));
    return 0;
  }

  delete(key: Uint8Array): number {
    const length = prefixLength(key);
    if (length > this.#bits) return -Errno.EINVAL;
    const prefix = prefixOf(key, length);
    const old = this.#prefixes.get(length)?.get(prefix);
    if (old === undefined) return -Errno.ENOENT;
    discard(old, "which was deleted");
    this.#prefixes.get(length)!.delete(prefix);
    this.#size--;
    return 0;
  }

  *elements(): Iterable<Element> {
    for (const sameLength of this.#prefixes.values()) yield* sameLength.values();
  }

  get #bits(): number {
    return 8 * (this.#shape.keySize - 4);
  }
}

const prefixLength = (key: Uint8Array): number => new DataView(key.buffer, key.byteOffset, 4).getUint32(0, true);

function prefixOf(key: Uint8Array, length: number): string | number {
  const data = key.slice(4, 4 + Math.ceil(length / 8));
  const rest = length % 8;
  if (rest !== 0) data[data.length - 1]! &= 0xff << (8 - rest);
  return hashKey(data);
}
