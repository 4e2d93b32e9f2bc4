/**
 * From a name to the types that bear it: a hash table with chains, in typed
 * arrays. A `Map` of a hundred thousand strings takes ten times the memory and
 * the time to build, and dies with most of its strings never asked for.
 */
export class NameIndex {
  readonly #strings: Uint8Array;
  /** Of each type id, the offset of its name; 0 for none. */
  readonly #names: Uint32Array;
  /** Of each hash, the first id, 0 for none; and of each id, the next one with the same hash. */
  readonly #heads: Uint32Array;
  readonly #next: Uint32Array;
  readonly #mask: number;

  /** `strings` are zero-terminated, the last one too. */
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
    const ids: number[] = [];
    for (let id = this.#heads[hash(wanted, 0) & this.#mask]!; id !== 0; id = this.#next[id]!) {
      const start = this.#names[id]!;
      if (wanted.equals(this.#strings.subarray(start, start + wanted.length))) ids.push(id);
    }
    return ids;
  }
}

/** FNV-1a over a zero-terminated string. */
function hash(bytes: Uint8Array, start: number): number {
  let value = 0x811c9dc5;
  for (let at = start; bytes[at] !== 0; at++) value = Math.imul(value ^ bytes[at]!, 0x01000193);
  return (value ^ (value >>> 15)) >>> 0;
}
