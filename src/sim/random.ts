/** A source of pseudo-random numbers of 32 bits (xorshift, Marsaglia 2003): the same seed gives the same numbers. */
export function seededRandom(seed: number): () => number {
  // Spread, so that neighbouring seeds do not begin alike; never 0, which stays 0.
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
