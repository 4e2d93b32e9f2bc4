/** Cases of the load balancer's logic, shared by the simulator and the kernel. */
import { builds } from "../builds.ts";
import { affinityCases } from "./affinity-cases.ts";
import type { Case, SimulatorCase } from "./case.ts";
import { connectionCases } from "./connection-cases.ts";
import { counterCases } from "./counter-cases.ts";
import { datagramCases } from "./datagram-cases.ts";
import { eventCases } from "./event-cases.ts";
import { flowCases } from "./flow-cases.ts";
import { leftAloneCases, leftAloneSimulatorCases } from "./exemption-cases.ts";
import { maglevCases } from "./maglev-cases.ts";
import { otherCases } from "./other-cases.ts";
import { replyCases } from "./reply-cases.ts";
import { simulatorCases as generalSimulatorCases } from "./simulator-cases.ts";
import { streamCases } from "./stream-cases.ts";

export { isFor } from "./case.ts";
export { SimulatedStage } from "./simulated-stage.ts";
export { HOSTS, LISTENING, type Stage, type StageSocket } from "./stage.ts";

export const cases: readonly Case[] = [
  ...datagramCases,
  ...replyCases,
  ...flowCases,
  ...streamCases,
  ...affinityCases,
  ...connectionCases,
  ...leftAloneCases,
  ...maglevCases,
  ...counterCases,
  ...eventCases,
  ...otherCases,
];
export const simulatorCases: readonly SimulatorCase[] = [...generalSimulatorCases, ...leftAloneSimulatorCases];
export { neverNull } from "./unreachable.ts";

/** The builds that the cases are played with; as the programs come is one between the others. */
export const playedBuilds = Object.entries(builds).filter(([name]) => name !== "default");
