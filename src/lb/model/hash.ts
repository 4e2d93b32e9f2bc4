/**
 * A 32-bit hash of a text. It must never change: every node and every version
 * has to map the same client to the same backend. It mixes one character at a
 * time and ends with MurmurHash3's finalizer, so that texts that differ in one
 * digit have unrelated hashes.
 * @param text ASCII characters
 * @param seed gives independent hashes of one text
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
