/** Cases of the load balancer's logic, told once for the simulator and the kernel. */
import { defaultOptions, type DataPathOptions } from "../../index.ts";
import { affinityCases } from "./affinity-cases.ts";
import type { Case } from "./case.ts";
import { connectionCases } from "./connection-cases.ts";
import { datagramCases } from "./datagram-cases.ts";
import { otherCases } from "./other-cases.ts";
import { replyCases } from "./reply-cases.ts";
import { streamCases } from "./stream-cases.ts";

export { isFor } from "./case.ts";
export { simulatorCases } from "./simulator-cases.ts";
export { SimulatedStage } from "./simulated-stage.ts";
export { HOSTS, LISTENING, type Stage, type StageSocket } from "./stage.ts";

export const cases: readonly Case[] = [...datagramCases, ...replyCases, ...streamCases, ...affinityCases, ...connectionCases, ...otherCases];
export { neverNull } from "./unreachable.ts";

/** The builds that the cases are played with: everything switched off, and everything on. */
export const builds = [["minimal", switched(false)], ["full", switched(true)]] as const;

function switched(on: boolean): DataPathOptions {
  return Object.fromEntries(Object.entries(defaultOptions).map(([name, value]) => [name, typeof value === "boolean" ? on : value])) as unknown as DataPathOptions;
}
