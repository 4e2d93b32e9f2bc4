/**
 * A number that is spread evenly over 32 bits, the same for the same text on
 * every node and in every version: what clients and backends are matched by
 * must not change with an update. One character at a time, then the finalizer of
 * MurmurHash3, so that texts which differ in one digit have nothing in common.
 * @param text of ASCII characters
 * @param seed for several numbers of one text that are independent of one another
 */
export function hashOf(text: string, seed = 0): number {
  let hash = seed ^ text.length;
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x5bd1_e995);
    hash ^= hash >>> 15;
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
