import { type CompilableProgram, helperName, type HelperName, type Instruction, type Program } from "../asm/index.ts";
import { hookOf } from "../hooks/index.ts";
import type { MapDefinition } from "../types/index.ts";
import { contextRegion, decodeContext, encodeContext, setPointers, type ContextValues } from "./context/context.ts";
import { defaultContext } from "./context/defaults.ts";
import { layoutOf, type ContextLayout } from "./context/layout.ts";
import { Coverage } from "./coverage.ts";
import { ReasonForFault, SimulationFault } from "./fault.ts";
import type { Helper, HelperCall } from "./helper-call.ts";
import {
  builtInHelpers,
  type CurrentRun,
  type HelperTable,
  type SimulatedKernel,
  type Task,
  type WorldHelper,
} from "./helpers/index.ts";
import { Machine, type Environment } from "./machine.ts";
import { MapRegion } from "./maps/map-region.ts";
import { KeyedMap, ProgramArray, RingBuffer, SimulatedMaps, type SimulatedMap } from "./maps/index.ts";
import { Region } from "./memory/region.ts";
import { finishedProgram } from "./program-source.ts";
import { seededRandom } from "./random.ts";
import { SimulatedSocket, SocketRegion, type SocketOptions } from "./context/socket.ts";
import { translateProgram, type TranslatedProgram } from "./translate/program.ts";

/** The state that a simulated kernel starts with. */
export interface WorldOptions {
  /** Existing maps to use, for example another world's. */
  readonly maps?: SimulatedMaps;
  /** Seed of the pseudo-random numbers; default 1. */
  readonly seed?: number;
  /** Replaces the pseudo-random numbers. */
  readonly random?: () => number;
  /** The clock in nanoseconds; it advances only when set. Default 0. */
  readonly time?: bigint;
  readonly task?: Partial<Task>;
  /** Cookie of the first network namespace; default 1. */
  readonly netnsCookie?: bigint;
  /** Additional helpers, or replacements for built-in ones. */
  readonly helpers?: HelperTable;
  /** Kernel functions, by name. */
  readonly kernelFunctions?: Readonly<Record<string, WorldHelper>>;
  /** Whether loading unwritten stack is a fault (default) or yields zero. */
  readonly checkUnsetStack?: boolean;
}

/** The input of one run. */
export interface RunOptions {
  /** The context: typed values for a known hook, bytes for any other. */
  readonly ctx?: ContextValues | Uint8Array;
  /** The socket of the hook. */
  readonly socket?: SimulatedSocket;
  /** The packet, for programs that take one; copied. */
  readonly packet?: Uint8Array;
  /** The most instructions to run; default 1,000,000. */
  readonly budget?: number;
  /** Whether to count instructions for `World.coverage`; default true. */
  readonly coverage?: boolean;
}

/** The outcome of one run. */
export interface RunResult {
  /** The program's return value: the low half of r0, signed, like the kernel. */
  readonly returned: number;
  /** r0, all 64 bits. */
  readonly r0: bigint;
  /** The context after the run; empty for a context given as bytes. */
  readonly ctx: ContextValues;
  /** The bytes of the context after the run. */
  readonly contextBytes: Uint8Array;
  /** The packet after the run. */
  readonly packet: Uint8Array | undefined;
  /**
   * For cgroup hooks: the result of the system call, 0 or a negative error number. `-EPERM` if the program
   * returned 0 and set no error.
   */
  readonly retval: number | undefined;
  /** Instructions that ran; an `lddw` counts once. */
  readonly steps: number;
}

const EPERM = 1;
const DEFAULT_BUDGET = 1_000_000;

/**
 * A simulated kernel: maps, sockets, a clock, random numbers, and programs that run on them one after another.
 *
 * @example
 * ```ts
 * import { array, cgroup, PROCEED, u64 } from "tsbpf";
 * import { World } from "tsbpf/sim";
 *
 * const calls = array("calls", { value: u64, maxEntries: 1 });
 * const count = cgroup.connect4("count", (b) => {
 *   b.lookup(calls, 0).ifFound((counter) => counter.value.atomicAdd(1));
 *   return PROCEED;
 * });
 * const world = new World();
 * world.run(count, { socket: world.socket() });
 * world.run(count);
 * console.log(world.map(calls).get(0)); // 2n
 * ```
 */
export class World implements Environment, SimulatedKernel {
  readonly maps: SimulatedMaps;
  /** The clock in nanoseconds. */
  time: bigint;
  /** The CPU that runs programs, for per-CPU maps. */
  cpu = 0;
  random: () => number;
  task: Task;
  readonly netnsCookie: bigint;
  /** Lines printed with `bpf_trace_printk`. */
  readonly trace: string[] = [];
  /** The current run, for helpers. */
  current: CurrentRun | undefined;
  readonly #machine: Machine;
  readonly #helpers: HelperTable;
  readonly #kernelFunctions: Readonly<Record<string, WorldHelper>>;
  /** By number, bound to this world; null for an unknown helper. */
  readonly #boundHelpers: (Helper | null)[] = [];
  #nextCookie = 1n;
  #countInstructions = true;

  constructor(options: WorldOptions = {}) {
    this.maps = options.maps ?? new SimulatedMaps();
    this.time = options.time ?? 0n;
    this.random = options.random ?? seededRandom(options.seed ?? 1);
    this.task = {
      pid: 1000,
      tid: 1000,
      uid: 0,
      gid: 0,
      comm: "simulated",
      cgroupId: 1n,
      ancestorCgroupIds: [],
      ...options.task,
    };
    this.netnsCookie = options.netnsCookie ?? 1n;
    this.#helpers = { ...builtInHelpers, ...options.helpers };
    this.#kernelFunctions = options.kernelFunctions ?? {};
    this.#machine = new Machine(this, { checkUnsetStack: options.checkUnsetStack ?? true });
  }

  /** The user-space handle of a map. @throws {RangeError} for a type that is not simulated */
  map<D extends MapDefinition>(definition: D): SimulatedMap<D> {
    return this.maps.of(definition);
  }

  /** Creates a socket. */
  socket({ cookie, netnsCookie, ...fields }: SocketOptions = {}): SimulatedSocket {
    if (cookie !== undefined && cookie >= this.#nextCookie) this.#nextCookie = cookie + 1n;
    return new SimulatedSocket(cookie ?? this.#nextCookie++, netnsCookie ?? this.netnsCookie, fields);
  }

  /** Destroys a socket, as the kernel does after `sock_release`: its storage is deleted. */
  destroy(socket: SimulatedSocket): void {
    this.maps.forget(socket);
  }

  /**
   * Runs a program once.
   * @throws {SimulationFault} if the program does something illegal
   * @throws {RangeError} for a context or map that does not match the program
   * @throws {SchemaError} for a value that does not fit its context field
   */
  run(source: Program | CompilableProgram, options: RunOptions = {}): RunResult {
    const program = finishedProgram(source);
    for (const definition of program.maps) this.maps.of(definition);
    const layout = layoutOf(program);
    const packet = options.packet?.slice();
    this.#machine.prepare();
    const context = this.#context(program, layout, options, packet);
    const current: CurrentRun = { context, socket: options.socket, packet, retval: 0 };
    this.#countInstructions = options.coverage ?? true;
    this.current = current;
    try {
      const translated = this.#translate(program);
      const r0 = this.#machine.run(translated, {
        r1: this.#machine.space.addressOf(context),
        budget: options.budget ?? DEFAULT_BUDGET,
      });
      const open = this.#discardRecords();
      if (open !== undefined) {
        const exit = program.instructions.length - 1;
        const reason = `the program ended, and a record of ring buffer ${open} is neither submitted nor discarded`;
        throw new SimulationFault(exit, program.instructions[exit]!, reason);
      }
      const returned = Number(BigInt.asIntN(32, r0));
      return {
        returned,
        r0,
        ctx: layout === undefined ? {} : decodeContext(layout, context.bytes),
        contextBytes: context.bytes,
        packet,
        retval: hookOf(program)?.inSystemCall ? systemCallResult(returned, current.retval) : undefined,
        steps: this.#machine.steps,
      };
    } finally {
      this.#discardRecords();
      this.current = undefined;
    }
  }

  /** The coverage of a program by all runs in this world so far. */
  coverage(source: Program | CompilableProgram): Coverage {
    const { instructions } = finishedProgram(source);
    return new Coverage(instructions, this.#machine.countersOf(instructions));
  }

  /** For the machine: the helper with that number, bound to this world. */
  helper(number: number): Helper | undefined {
    let bound = this.#boundHelpers[number];
    if (bound === undefined) {
      const name = helperName(number);
      bound = (name === undefined ? undefined : this.#bind(this.#helpers[name as HelperName])) ?? null;
      this.#boundHelpers[number] = bound;
    }
    return bound ?? undefined;
  }

  /** For the machine. */
  kernelFunction(name: string): Helper | undefined {
    return this.#bind(this.#kernelFunctions[name]);
  }

  /** For the machine: resolves an `lddw` of a map, or of an address in its first value. */
  reference({ reference }: Instruction): { region: Region; offset: number } | undefined {
    if (reference === undefined || (reference.kind !== "map" && reference.kind !== "map-value")) return undefined;
    const map = this.maps.named(reference.name);
    if (map === undefined) return undefined;
    if (reference.kind === "map") return { region: map.region, offset: 0 };
    if (!(map instanceof KeyedMap)) return undefined;
    const first = map.valueOf(new Uint8Array(map.definition.key.size), this.cpu);
    return first === undefined ? undefined : { region: first, offset: reference.offset };
  }

  /** For the machine: the target of a tail call. */
  tailCall(call: HelperCall): TranslatedProgram | undefined {
    const { region } = call.pointer(2);
    const map = region instanceof MapRegion ? region.map : undefined;
    if (!(map instanceof ProgramArray)) throw new ReasonForFault(`r2 points to ${region.name}, not to a program array`);
    const target = map.get(call.u32(3));
    if (target === undefined) return undefined;
    for (const definition of target.maps) this.maps.of(definition);
    return this.#translate(target);
  }

  #translate(program: Program): TranslatedProgram {
    return translateProgram(program.instructions, { coverage: this.#countInstructions });
  }

  #bind(helper: WorldHelper | undefined): Helper | undefined {
    return helper && ((call) => helper(call, this));
  }

  #context(
    program: Program,
    layout: ContextLayout | undefined,
    { ctx = {}, socket }: RunOptions,
    packet: Uint8Array | undefined,
  ): Region {
    if (ctx instanceof Uint8Array) return new Region("the context", ctx.slice());
    if (layout === undefined) {
      if (Object.keys(ctx).length === 0) return new Region("the context", new Uint8Array(0));
      throw new RangeError(
        `cannot encode the context of ${program.section}: the simulator does not know this hook; pass bytes`,
      );
    }
    const bytes = encodeContext(layout, { ...defaultContext(program, layout, { socket, packet }), ...ctx });
    const { space } = this.#machine;
    if (packet !== undefined) {
      const region = new Region("the packet", packet);
      space.setPacket(region);
      setPointers(layout, bytes, "packet", space.addressOf(region));
      setPointers(layout, bytes, "packet_end", space.addressOf(region) + BigInt(packet.length));
    }
    if (socket !== undefined) setPointers(layout, bytes, "bpf_sock", space.addressOf(new SocketRegion(socket)));
    return contextRegion(layout, bytes);
  }

  /**
   * Discards records that the program left unfinished, which the verifier would have refused.
   * @returns the name of their ring buffer
   */
  #discardRecords(): string | undefined {
    let open: string | undefined;
    for (const map of this.maps.all()) if (map instanceof RingBuffer && map.discardUnfinished()) open = map.name;
    return open;
  }
}

/** The lowest bit of the return value is the verdict; an error number set by the program overrides EPERM. */
function systemCallResult(returned: number, retval: number): number {
  const isError = retval < 0 && retval >= -4095;
  return (returned & 1) === 0 && !isError ? -EPERM : retval;
}
