import { UpdateFlag } from "../../types/index.ts";
import { Errno } from "./errors.ts";
import { newElement, type Element, type Store, type StoreShape } from "./store.ts";

/** An array: every element exists from the start, updates happen in place, and elements cannot be deleted. */
export class ArrayStore implements Store {
  readonly #shape: StoreShape;
  /** Created on first access, since an array may be large. */
  readonly #elements = new Map<number, Element>();

  constructor(shape: StoreShape) {
    this.#shape = shape;
  }

  lookup(key: Uint8Array): Element | undefined {
    const index = indexOf(key);
    if (index >= this.#shape.maxEntries) return undefined;
    let element = this.#elements.get(index);
    if (element === undefined) this.#elements.set(index, (element = newElement(this.#shape, key, [])));
    return element;
  }

  update(key: Uint8Array, values: readonly (Uint8Array | undefined)[], flags: number): number {
    if (flags > UpdateFlag.EXIST || flags < 0) return -Errno.EINVAL;
    const element = this.lookup(key);
    if (element === undefined) return -Errno.E2BIG;
    if (flags === UpdateFlag.NOEXIST) return -Errno.EEXIST;
    values.forEach((value, cpu) => value !== undefined && element.values[cpu]!.bytes.set(value));
    return 0;
  }

  delete(): number {
    return -Errno.EINVAL;
  }

  *elements(): Iterable<Element> {
    const key = new Uint8Array(4);
    const view = new DataView(key.buffer);
    for (let index = 0; index < this.#shape.maxEntries; index++) {
      view.setUint32(0, index, true);
      yield this.lookup(key)!;
    }
  }
}

const indexOf = (key: Uint8Array): number => (key[0]! | (key[1]! << 8) | (key[2]! << 16) | (key[3]! << 24)) >>> 0;
