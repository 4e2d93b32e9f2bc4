import type { CompilableProgram, Program } from "../asm/index.ts";
import type { Coverage } from "./coverage.ts";
import type { SimulatedMaps } from "./maps/index.ts";
import { SimulatedSocket, type SocketOptions } from "./socket.ts";
import { World, type RunOptions, type RunResult, type WorldOptions } from "./world.ts";

export interface SimulateOptions extends Omit<RunOptions, "socket" | "coverage">, WorldOptions {
  /** The socket on which the hook runs; for one that several runs share, see `World`. */
  readonly socket?: SimulatedSocket | SocketOptions;
}

export interface Simulation extends RunResult {
  /** The maps as the program left them. */
  readonly maps: SimulatedMaps;
  /** What of the program has run. */
  readonly coverage: Coverage;
  /** Lines that the program has printed. */
  readonly trace: readonly string[];
}

/**
 * Runs a program once in a simulated kernel of its own:
 *
 * ```ts
 * const maps = new SimulatedMaps();
 * maps.of(services).set(key, value);
 * const { returned, ctx } = simulate(connect4, { ctx: { userIp4: "100.0.0.1", userPort: 80, protocol: "tcp" }, maps });
 * ```
 *
 * Programs that run one after another on the same maps and sockets share a `World`.
 * @throws {SimulationFault} where the program does what it may not do
 * @throws {RangeError} for a context or map that does not fit
 */
export function simulate(program: Program | CompilableProgram, options: SimulateOptions = {}): Simulation {
  const world = new World(options);
  const socket = options.socket instanceof SimulatedSocket ? options.socket : world.socket(options.socket);
  const result = world.run(program, { ...options, socket });
  return { ...result, maps: world.maps, coverage: world.coverage(program), trace: world.trace };
}
