/** Cases of the load balancer's logic, told once for the simulator and the kernel. */
import type { Case, SimulatorCase } from "./case.ts";
import { datagramCases } from "./datagram-cases.ts";

export { isFor, type Case, type SimulatorCase, type Switch } from "./case.ts";
export { SimulatedStage } from "./simulated-stage.ts";
export { HOSTS, LISTENING, type Stage } from "./stage.ts";

export const cases: readonly Case[] = [...datagramCases];
export const simulatorCases: readonly SimulatorCase[] = [];
