/**
 * Maglev tables: every node sends a client to the same backend, and when
 * backends come and go, most clients keep theirs. Eisenbud et al., "Maglev: A
 * Fast and Reliable Software Network Load Balancer" (NSDI 2016), section 3.4.
 */
import { endpointText, hashOf, type BackendDefinition } from "../model/index.ts";

/** Seeds of the two hashes of a backend's permutation. Other seeds give other tables, so they never change. */
const OFFSET_SEED = 0x6d61_676c;
const SKIP_SEED = 0x6576_2121;

/**
 * The backend of each slot. Each backend prefers the slots in its own order.
 * They take turns, and each takes the next free slot of its order. A backend
 * with half the weight of the heaviest has a turn in every other round.
 *
 * The table depends on addresses, ports and weights, and not on the order of
 * the backends. A backend whose share is less than one slot may have none.
 *
 * @param backends all different
 * @param size a prime, at least the number of backends
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
