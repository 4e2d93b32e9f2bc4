import type { CompilableProgram, Program } from "../asm/index.ts";
import type { Coverage } from "./coverage.ts";
import type { SimulatedMaps } from "./maps/index.ts";
import { SimulatedSocket, type SocketOptions } from "./context/socket.ts";
import { World, type RunOptions, type RunResult, type WorldOptions } from "./world.ts";

/** The input of `simulate`. */
export interface SimulateOptions extends Omit<RunOptions, "socket" | "coverage">, WorldOptions {
  /** The socket of the hook. To share one between runs, use `World`. */
  readonly socket?: SimulatedSocket | SocketOptions;
}

/** The outcome of `simulate`. */
export interface Simulation extends RunResult {
  /** The maps after the run. */
  readonly maps: SimulatedMaps;
  /** The coverage of this run. */
  readonly coverage: Coverage;
  /** The lines that the program printed. */
  readonly trace: readonly string[];
}

/**
 * Runs a program once, in a simulated kernel of its own. To run several programs on the same maps and sockets,
 * use a `World`.
 *
 * @throws {SimulationFault} if the program does something illegal
 * @throws {RangeError} for a context or map that does not match the program
 * @example
 * ```ts
 * import { be16, cgroup, PROCEED } from "tsbpf";
 * import { simulate } from "tsbpf/sim";
 *
 * const redirect = cgroup.connect4("redirect", (_, ctx) => {
 *   ctx.userPort.set(be16(8080));
 *   return PROCEED;
 * });
 * const { returned, ctx } = simulate(redirect, { ctx: { userIp4: "192.0.2.1", userPort: 80 } });
 * console.log(returned, ctx.userPort); // 1 8080
 * ```
 */
export function simulate(program: Program | CompilableProgram, options: SimulateOptions = {}): Simulation {
  const world = new World(options);
  const socket = options.socket instanceof SimulatedSocket ? options.socket : world.socket(options.socket);
  const result = world.run(program, { ...options, socket });
  return { ...result, maps: world.maps, coverage: world.coverage(program), trace: world.trace };
}
