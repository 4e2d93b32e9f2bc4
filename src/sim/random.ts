/** A generator of 32-bit pseudo-random numbers (xorshift, Marsaglia 2003), reproducible by its seed. */
export function seededRandom(seed: number): () => number {
  // Spreads the seed, so that neighbouring seeds start differently. Never 0, which xorshift maps to 0.
  let state = Math.imul(seed ^ (seed >>> 16), 0x45d9f3b) ^ 0x9e3779b9 || 1;
  const next = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
  for (let i = 0; i < 8; i++) next();
  return next;
}
