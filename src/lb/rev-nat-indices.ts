import { LoadBalancerError } from "./error.ts";
import { MAX_SERVICES } from "./service.ts";
import { keyText, type StoredService } from "./state.ts";

/** Indices of services, each kept for as long as its service exists. */
export class RevNatIndices {
  readonly #used = new Map<number, string>();
  readonly #byService = new Map<string, number>();
  #next: number;

  constructor(services: readonly StoredService[], next: number) {
    this.#next = Math.max(next, 1);
    for (const { key, value: { revNatIndex } } of services) {
      if (revNatIndex === 0 || this.#used.has(revNatIndex)) continue;
      this.#used.set(revNatIndex, keyText(key));
      this.#byService.set(keyText(key), revNatIndex);
    }
  }

  /** Where the next search begins. */
  get next(): number {
    return this.#next;
  }

  /** The service's own, or else one that has been out of use for long. */
  of(service: string): number {
    const own = this.#byService.get(service);
    if (own !== undefined) return own;
    if (this.#used.size === MAX_SERVICES) throw new LoadBalancerError(`cannot tell more than ${MAX_SERVICES} services apart: a rev_nat_index has 16 bits`);
    while (this.#used.has(this.#next)) this.#advance();
    const index = this.#next;
    this.#used.set(index, service);
    this.#advance();
    return index;
  }

  #advance(): void {
    this.#next = this.#next === MAX_SERVICES ? 1 : this.#next + 1;
  }
}
