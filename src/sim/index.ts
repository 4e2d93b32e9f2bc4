/** A simulator of the BPF machine, to run and test programs outside the kernel. */
import "../one-copy.ts";
export { simulate, type SimulateOptions, type Simulation } from "./simulate.ts";
export { World, type RunOptions, type RunResult, type WorldOptions } from "./world.ts";
export { SimulationFault } from "./fault.ts";
export { SimulatedSocket, type SocketFields, type SocketOptions } from "./context/socket.ts";
export type { ContextValues } from "./context/context.ts";
export { Coverage, type BranchCoverage, type LineCoverage } from "./coverage.ts";
export type { Helper, HelperCall, HelperResult } from "./helper-call.ts";
export {
  builtInHelpers,
  type HelperTable,
  type SimulatedKernel,
  type Task,
  type WorldHelper,
} from "./helpers/index.ts";
export { execute, type Execution } from "./execute.ts";
export * from "./maps/index.ts";
export { seededRandom } from "./random.ts";
