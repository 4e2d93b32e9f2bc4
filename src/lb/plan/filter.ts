/**
 * Plans for the filters (programs/address-filter.ts). The service filter must
 * cover every service that a program may find, the backend filter every address
 * that a socket may have been sent to.
 */
import { backendFilterShape, filterWords } from "../../../programs/index.ts";
import { isReachable, type FrontEnd, type ServiceDefinition } from "../model/index.ts";
import type { MemberKey, State } from "./state.ts";

/** Words of the filter by index. */
export type FilterWords = readonly (readonly [word: number, bits: bigint])[];

export interface FilterPlan {
  /** Written before any service: adds the bits of the stored and the desired services. */
  readonly wider: FilterWords;
  /** Written after the last service: clears the bits that no service needs. */
  readonly narrower: FilterWords;
  /**
   * Words of the backend filter, written before any backend. Its bits are never
   * cleared: a socket may hear from a backend long after its service lost it.
   */
  readonly backends: FilterWords;
}

/**
 * Plans from the stored filter, correct or not, to the filter that `desired` needs.
 * @param added the backends that the plan adds
 */
export function planFilter(
  { filter, frontEnds, backendFilter, members }: State,
  desired: readonly ServiceDefinition[],
  added: readonly MemberKey[],
): FilterPlan {
  const before = filterOf(frontEnds.map(({ key }) => key));
  const after = filterOf(desired.flatMap((service) => service.frontEnds));
  const wide = new Map(
    [...filter.keys(), ...before.keys(), ...after.keys()].map((word) => [
      word,
      (filter.get(word) ?? 0n) | (before.get(word) ?? 0n) | (after.get(word) ?? 0n),
    ]),
  );
  return {
    wider: [...wide].filter(([word, bits]) => bits !== (filter.get(word) ?? 0n)),
    narrower: [...wide]
      .filter(([word, bits]) => bits !== (after.get(word) ?? 0n))
      .map(([word]) => [word, after.get(word) ?? 0n]),
    // Maps of an earlier version have backends and no filter yet.
    backends: missingWords(backendFilter, [...added, ...(backendFilter.size === 0 ? members.map(([key]) => key) : [])]),
  };
}

/** The words, with the bits that these backends lack. */
function missingWords(stored: ReadonlyMap<number, bigint>, backends: readonly MemberKey[]): FilterWords {
  return [...filterWords(backends, backendFilterShape)]
    .map(([word, bits]) => [word, bits | (stored.get(word) ?? 0n)] as const)
    .filter(([word, bits]) => bits !== stored.get(word));
}

/** bind(2) looks up port marks without the filter, so they have no bits. */
const filterOf = (frontEnds: readonly Pick<FrontEnd, "address" | "port" | "scope">[]): Map<number, bigint> =>
  filterWords(frontEnds.filter(isReachable));
