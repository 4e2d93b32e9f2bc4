import { essentialName } from "./flavour.ts";

/**
 * A hash table from names to type ids, with chains, in typed arrays. A `Map` of
 * a hundred thousand strings takes ten times the memory and the time to build,
 * and most of its strings would never be looked up. Flavours of one name
 * (`task_struct___old`) share a chain.
 */
export class NameIndex {
  readonly #strings: Uint8Array;
  /** By type id: the offset of its name; 0 for none. */
  readonly #names: Uint32Array;
  /** By hash: the first id, or 0. By id: the next id with the same hash, or 0. */
  readonly #heads: Uint32Array;
  readonly #next: Uint32Array;
  readonly #mask: number;

  /** Every string in `strings` ends with a zero byte. */
  constructor(strings: Uint8Array, names: Uint32Array) {
    this.#strings = strings;
    this.#names = names;
    const buckets = 1 << Math.ceil(Math.log2(Math.max(2, names.length)));
    this.#mask = buckets - 1;
    this.#heads = new Uint32Array(buckets);
    this.#next = new Uint32Array(names.length);
    // From the last to the first, so that a chain has its ids in rising order.
    for (let id = names.length - 1; id > 0; id--) {
      if (names[id] === 0) continue;
      const bucket = hash(strings, names[id]!) & this.#mask;
      this.#next[id] = this.#heads[bucket]!;
      this.#heads[bucket] = id;
    }
  }

  /** The ids of the types with this name, rising. */
  find(name: string): number[] {
    const wanted = Buffer.from(`${name}\0`);
    return this.#chain(wanted).filter((id) => {
      const start = this.#names[id]!;
      return wanted.equals(this.#strings.subarray(start, start + wanted.length));
    });
  }

  /** The ids of the types with this name apart from flavours on either side, rising. */
  findFlavours(name: string): number[] {
    const essential = essentialName(name);
    return this.#chain(Buffer.from(`${essential}\0`)).filter((id) => {
      const start = this.#names[id]!;
      const text = this.#strings.subarray(start, this.#strings.indexOf(0, start));
      return essentialName(Buffer.from(text).toString()) === essential;
    });
  }

  #chain(name: Uint8Array): number[] {
    const ids: number[] = [];
    for (let id = this.#heads[hash(name, 0) & this.#mask]!; id !== 0; id = this.#next[id]!) ids.push(id);
    return ids;
  }
}

const UNDERSCORE = 0x5f;

/** FNV-1a over a zero-terminated name without its flavour. */
function hash(bytes: Uint8Array, start: number): number {
  let value = 0x811c9dc5;
  let essential: number | undefined;
  /** Underscores just passed, and the hash before them. */
  let run = 0;
  let beforeRun = value;
  for (let at = start; bytes[at] !== 0; at++) {
    if (bytes[at] === UNDERSCORE) {
      if (run++ === 0) beforeRun = value;
    } else {
      if (run === 3 && at - 3 > start) essential = beforeRun;
      run = 0;
    }
    value = Math.imul(value ^ bytes[at]!, 0x01000193);
  }
  value = essential ?? value;
  return (value ^ (value >>> 15)) >>> 0;
}
