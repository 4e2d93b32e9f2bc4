import { LoadBalancerError } from "../model/error.ts";
import { MAX_SERVICES } from "../model/service.ts";

/** Indices of services. One that is given back comes into use again as late as can be. */
export class RevNatIndices {
  readonly #used = new Set<number>();
  #next: number;

  /** @param next where the search for a free one begins */
  constructor(next: number) {
    this.#next = Math.max(next, 1);
  }

  /** Where the next search begins. */
  get next(): number {
    return this.#next;
  }

  /** Keeps for a service the first of the indices that it has, unless another service has kept it before. */
  keep(candidates: Iterable<number>): number | undefined {
    for (const index of candidates) {
      if (index === 0 || this.#used.has(index)) continue;
      this.#used.add(index);
      return index;
    }
    return undefined;
  }

  /** Takes one that nobody has kept. */
  take(): number {
    if (this.#used.size === MAX_SERVICES)
      throw new LoadBalancerError(`cannot tell more than ${MAX_SERVICES} services apart: a rev_nat_index has 16 bits`);
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
