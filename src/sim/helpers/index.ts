/** The helpers of the simulated kernel. */
import { controlHelpers } from "./control.ts";
import { environmentHelpers } from "./environment.ts";
import type { HelperTable } from "./helper.ts";
import { mapHelpers } from "./maps.ts";
import { packetHelpers } from "./packet.ts";
import { ringBufferHelpers } from "./ring-buffer.ts";
import { socketHelpers } from "./socket.ts";
import { traceHelpers } from "./trace.ts";

export type { CurrentRun, HelperTable, SimulatedKernel, Task, WorldHelper } from "./helper.ts";

/** All helpers except `bpf_tail_call`, which the machine implements. */
export const builtInHelpers: HelperTable = {
  ...mapHelpers,
  ...ringBufferHelpers,
  ...socketHelpers,
  ...environmentHelpers,
  ...controlHelpers,
  ...packetHelpers,
  ...traceHelpers,
};
