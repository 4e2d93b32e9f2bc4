/** Plans for the service filter (programs/service-filter.ts), which must cover every service a program may find. */
import { filterWords } from "../../../programs/index.ts";
import { isReachable, type FrontEnd, type ServiceDefinition } from "../model/index.ts";
import type { State } from "./state.ts";

/** Words of the filter by index. */
export type FilterWords = readonly (readonly [word: number, bits: bigint])[];

export interface FilterPlan {
  /** Written before any service: adds the bits of the stored and the desired services. */
  readonly wider: FilterWords;
  /** Written after the last service: clears the bits that no service needs. */
  readonly narrower: FilterWords;
}

/** Plans from the stored filter, correct or not, to the filter that `desired` needs. */
export function planFilter({ filter, frontEnds }: State, desired: readonly ServiceDefinition[]): FilterPlan {
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
  };
}

/** bind(2) looks up port marks without the filter, so they have no bits. */
const filterOf = (frontEnds: readonly Pick<FrontEnd, "address" | "port" | "scope">[]): Map<number, bigint> =>
  filterWords(frontEnds.filter(isReachable));
