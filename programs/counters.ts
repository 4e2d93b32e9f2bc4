/** The counters of each service, one element per service and CPU. */
import { u32, type Ref } from "tsbpf";
import type { Counter, Features, RevNatIndex } from "./call.ts";
import { NO_SERVICE, type Counters } from "./maps.ts";

export const counters: NonNullable<Features["counters"]> = {
  /** A service that has just been removed has no counters: nothing is counted then. */
  count({ b, maps }, revNatIndex, counter) {
    b.lookup(maps.metrics, indexOf(revNatIndex)).ifFound((values) => add(values, counter));
  },

  /** Counts under the service's index while that has counters, then under `NO_SERVICE`. */
  countMiss(call, revNatIndex) {
    call.b.lookup(call.maps.metrics, indexOf(revNatIndex)).match(
      (values) => add(values, "reverseMisses"),
      () => call.count(NO_SERVICE, "reverseMisses"),
    );
  },
};

function add(values: Ref<Counters>, counter: Counter): void {
  values[counter].set(values[counter].add(1));
}

const indexOf = (revNatIndex: RevNatIndex) => (revNatIndex === NO_SERVICE ? revNatIndex : revNatIndex.to(u32));
