import { LoadBalancerError, MAX_SERVICES } from "../model/index.ts";

/** Allocates services' indices. A released index is reused as late as possible. */
export class RevNatIndices {
  readonly #used = new Set<number>();
  #next: number;

  /** @param next where the search for a free index starts */
  constructor(next: number) {
    this.#next = Math.max(next, 1);
  }

  /** Where the next search starts. */
  get next(): number {
    return this.#next;
  }

  /** Keeps the first of a service's indices that no other service has kept; undefined if there is none. */
  keep(candidates: Iterable<number>): number | undefined {
    for (const index of candidates) {
      if (index === 0 || this.#used.has(index)) continue;
      this.#used.add(index);
      return index;
    }
    return undefined;
  }

  /** Takes an index that no service has kept. */
  take(): number {
    if (this.#used.size === MAX_SERVICES)
      throw new LoadBalancerError(`cannot hold more than ${MAX_SERVICES} services: a rev_nat_index has 16 bits`);
    while (this.#used.has(this.#next)) this.#advance();
    const index = this.#next;
    this.#used.add(index);
    this.#advance();
    return index;
  }

  #advance(): void {
    this.#next = this.#next === MAX_SERVICES ? 1 : this.#next + 1;
  }
}
