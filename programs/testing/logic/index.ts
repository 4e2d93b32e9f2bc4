/** Cases of the load balancer's logic, told once for the simulator and the kernel. */
import { affinityCases } from "./affinity-cases.ts";
import type { Case, SimulatorCase } from "./case.ts";
import { datagramCases } from "./datagram-cases.ts";
import { otherCases } from "./other-cases.ts";
import { replyCases } from "./reply-cases.ts";
import { streamCases } from "./stream-cases.ts";

export { isFor, type Case, type SimulatorCase, type Switch } from "./case.ts";
export { SimulatedStage } from "./simulated-stage.ts";
export { HOSTS, LISTENING, type Stage } from "./stage.ts";

export const cases: readonly Case[] = [...datagramCases, ...replyCases, ...streamCases, ...affinityCases, ...otherCases];
export const simulatorCases: readonly SimulatorCase[] = [];
