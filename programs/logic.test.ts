/** The load balancer's logic, in the simulator: every case, and with all of them every branch. */
import { suite } from "uvu";
import type { Coverage } from "../src/sim/index.ts";
import { defaultOptions, loadBalancerPrograms, type DataPathOptions } from "./index.ts";
import { cases, isFor, SimulatedStage, simulatorCases, type Switch } from "./testing/logic/index.ts";

const switched = (on: boolean): DataPathOptions =>
  ({ ...defaultOptions, ...Object.fromEntries(Object.entries(defaultOptions).filter(([, value]) => typeof value === "boolean").map(([name]) => [name as Switch, on])) });

for (const [build, options] of [["minimal", switched(false)], ["full", switched(true)]] as const) {
  const test = suite(`logic: ${build} build, in the simulator`);
  const programs = loadBalancerPrograms(options);
  const coverage = new Map<string, Coverage>();

  const perform = async (stage: SimulatedStage, play: () => Promise<void>): Promise<void> => {
    await play();
    for (const program of programs) {
      const covered = stage.world.coverage(program);
      const all = coverage.get(program.name);
      if (all === undefined) coverage.set(program.name, covered);
      else all.merge(covered);
    }
  };

  for (const each of cases) {
    if (!isFor(each, options)) continue;
    test(each.name, () => {
      const stage = new SimulatedStage(programs, options);
      return perform(stage, () => each.play(stage));
    });
  }
  for (const each of simulatorCases) {
    if (!isFor(each, options)) continue;
    test(each.name, () => {
      const stage = new SimulatedStage(programs, options, { ...(each.helpers && { helpers: each.helpers() }) });
      return perform(stage, () => each.play(stage));
    });
  }

  test.run();
}
