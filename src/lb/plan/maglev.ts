/**
 * Tables by which every node sends the same client to the same backend, and
 * most clients to the one they had when backends come and go: Eisenbud et al.,
 * "Maglev: A Fast and Reliable Software Network Load Balancer" (NSDI 2016),
 * section 3.4.
 */
import { hashOf } from "../model/hash.ts";
import { endpointText, type BackendDefinition } from "../model/service.ts";

/** Sizes that a table may have: primes, each about twice the one before. Those that Cilium offers. */
export const MAGLEV_TABLE_SIZES = [251, 509, 1021, 2039, 4093, 8191, 16_381, 32_749, 65_521] as const;

/** Seeds of the two hashes that make a backend's permutation; any others would make other tables. */
const OFFSET_SEED = 0x6d61_676c;
const SKIP_SEED = 0x6576_2121;

/**
 * The backend of each slot. Each backend has its own order of preference among
 * the slots; they take turns, each taking the next of its slots that is free.
 * One with half the weight of the heaviest has a turn in every other round.
 *
 * The table depends on the backends' addresses, ports and weights, not on their
 * order. A backend whose share is less than a slot may have none.
 *
 * @param backends no two the same
 * @param size a prime, not less than the number of backends
 */
export function maglevTable<B extends Pick<BackendDefinition, "address" | "port" | "weight">>(
  backends: readonly B[],
  size: number,
): B[] {
  if (backends.length === 0) return [];
  const named = backends
    .map((backend) => ({ backend, text: endpointText(backend) }))
    .sort((a, b) => (a.text < b.text ? -1 : 1));
  const heaviest = Math.max(...backends.map(({ weight }) => weight));
  const next = Uint32Array.from(named, ({ text }) => hashOf(text, OFFSET_SEED) % size);
  const skip = Uint32Array.from(named, ({ text }) => (hashOf(text, SKIP_SEED) % (size - 1)) + 1);
  const credit = new Uint32Array(named.length);
  const table = new Array<B | undefined>(size).fill(undefined);
  for (let filled = 0; ; ) {
    for (let i = 0; i < named.length; i++) {
      const { backend } = named[i]!;
      credit[i]! += backend.weight;
      if (credit[i]! < heaviest) continue;
      credit[i]! -= heaviest;
      let slot = next[i]!;
      const step = skip[i]!;
      while (table[slot] !== undefined) {
        slot += step;
        if (slot >= size) slot -= size;
      }
      table[slot] = backend;
      next[i] = slot;
      if (++filled === size) return table as B[];
    }
  }
}
