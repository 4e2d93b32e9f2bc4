/** The filter before the services map (programs/service-filter.ts): always as wide as the services that a program may find. */
import { filterWords } from "../../../programs/service-filter.ts";
import { isReachable, type FrontEnd, type ServiceDefinition } from "../model/service.ts";
import type { State } from "./state.ts";

/** Words of the filter, by their numbers. */
export type FilterWords = readonly (readonly [word: number, bits: bigint])[];

export interface FilterPlan {
  /** To be written before any service is: what the map lacks of the services that it has and of those that it is to have. */
  readonly wider: FilterWords;
  /** To be written when every service is as it is to be: without what nobody needs. */
  readonly narrower: FilterWords;
}

/** Plans from what the map says, whatever that is, to what `desired` needs. */
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

/** What takes a port for bind(2) alone is looked up without the filter. */
const filterOf = (frontEnds: readonly Pick<FrontEnd, "address" | "port" | "scope">[]): Map<number, bigint> =>
  filterWords(frontEnds.filter(isReachable));
