import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  backendsForNewFlows,
  slotCounts,
  slotsNeeded,
  type BackendDefinition,
  type BackendStateName,
} from "../model/index.ts";
import { slotsOf } from "./backend-slots.ts";

const test = suite("slots of backends");

const backend = (port: number, weight = 1, state: BackendStateName = "active"): BackendDefinition => ({
  address: "20.0.0.1",
  port,
  weight,
  state,
});

test("weights are in lowest terms", () => {
  assert.equal(slotCounts([backend(1, 100), backend(2, 50), backend(3, 150)]), [2, 1, 3]);
  assert.equal(slotCounts([backend(1, 7)]), [1]);
  assert.equal(slotCounts([]), []);
});

test("only weights of backends with slots count", () => {
  assert.is(slotsNeeded([backend(1, 2), backend(2, 4), backend(3, 7, "terminating")]), 3);
  assert.is(slotsNeeded([backend(1, 7, "maintenance")]), 0);
});

test("there are as many slots as needed, and each backend's share follows its weight", () => {
  const weights = fc.array(
    fc.record({
      weight: fc.integer({ min: 1, max: 40 }),
      state: fc.constantFrom<BackendStateName>("active", "terminating", "quarantined"),
    }),
    { maxLength: 6 },
  );
  fc.assert(
    fc.property(weights, (list) => {
      const backends = list.map(({ weight, state }, i) => backend(i + 1, weight, state));
      const chosen = backendsForNewFlows(backends);
      const total = chosen.reduce((sum, { weight }) => sum + weight, 0);
      const slots = slotsOf(backends);
      assert.is(slots.length, slotsNeeded(backends));
      for (const { port, weight } of chosen)
        assert.is(slots.filter((slot) => slot.port === port).length * total, weight * slots.length);
    }),
    { numRuns: 200 },
  );
});

test.run();
