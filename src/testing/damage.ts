/** Damages files reproducibly. */

/** Every proper prefix of the file. */
export function* truncated(bytes: Uint8Array): Generator<Uint8Array> {
  for (let length = 0; length < bytes.length; length++) yield new Uint8Array(bytes.subarray(0, length));
}

/**
 * `count` copies with one to four changes each: a flipped bit, or a byte or 32-bit word replaced by a random or
 * extreme value.
 */
export function* damaged(bytes: Uint8Array, count: number, seed = 1): Generator<Uint8Array> {
  const random = randomNumbers(seed);
  const below = (limit: number) => random() % limit;
  const edges = [0, 1, 0x7f, 0x80, 0xff, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];
  for (let i = 0; i < count; i++) {
    const copy = new Uint8Array(bytes); // a Buffer's `slice` would not copy
    const view = new DataView(copy.buffer, copy.byteOffset, copy.byteLength);
    for (let changes = 1 + below(4); changes > 0; changes--) {
      const at = below(copy.length);
      const value = below(2) === 0 ? random() : edges[below(edges.length)]!;
      const kind = below(3);
      if (kind === 0) view.setUint8(at, view.getUint8(at) ^ (1 << below(8)));
      else if (kind === 1 || at + 4 > copy.length) view.setUint8(at, value & 0xff);
      else view.setUint32(at & ~3, value, true);
    }
    yield copy;
  }
}

/** Random 32-bit numbers (xorshift). */
function randomNumbers(seed: number): () => number {
  let state = (seed * 2654435761) | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}
