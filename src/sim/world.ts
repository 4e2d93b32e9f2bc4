import { type CompilableProgram, helperName, type HelperName, type Instruction, type Program } from "../asm/index.ts";
import { hookOf } from "../hooks/index.ts";
import type { MapDefinition } from "../types/index.ts";
import { contextRegion, decodeContext, encodeContext, setPointers, type ContextValues } from "./context/context.ts";
import { defaultContext } from "./context/defaults.ts";
import { layoutOf, type ContextLayout } from "./context/layout.ts";
import { Coverage } from "./coverage.ts";
import { ReasonForFault, SimulationFault } from "./fault.ts";
import type { Helper, HelperCall } from "./helper-call.ts";
import { builtInHelpers, type HelperTable, type WorldHelper } from "./helpers/index.ts";
import { Machine, type Environment } from "./machine.ts";
import { MapRegion } from "./maps/map-region.ts";
import { KeyedMap, ProgramArray, RingBuffer, SimulatedMaps, type SimulatedMap } from "./maps/index.ts";
import { Region } from "./memory/region.ts";
import { finishedProgram } from "./program-source.ts";
import { seededRandom } from "./random.ts";
import { SimulatedSocket, SocketRegion, type SocketOptions } from "./socket.ts";
import { translateProgram, type TranslatedProgram } from "./translate/program.ts";

/** The process on whose behalf programs run. */
export interface Task {
  /** The process, which the kernel calls thread group. */
  readonly pid: number;
  /** The thread. */
  readonly tid: number;
  readonly uid: number;
  readonly gid: number;
  /** Up to 15 bytes. */
  readonly comm: string;
  readonly cgroupId: bigint;
  /** Of the cgroups above that one, from the root of the hierarchy down. */
  readonly ancestorCgroupIds: readonly bigint[];
}

export interface WorldOptions {
  /** Maps to go on with, of another world for example. */
  readonly maps?: SimulatedMaps;
  /** What pseudo-random numbers begin from; default 1. */
  readonly seed?: number;
  /** Where random numbers come from instead. */
  readonly random?: () => number;
  /** What the clock shows, in nanoseconds; it stands still until it is set. Default 0. */
  readonly time?: bigint;
  readonly task?: Partial<Task>;
  /** Cookie of the first network namespace; default 1. */
  readonly netnsCookie?: bigint;
  /** Further helpers, or others in place of those that are built in. */
  readonly helpers?: HelperTable;
  /** Kernel functions by name. */
  readonly kernelFunctions?: Readonly<Record<string, WorldHelper>>;
  /** Whether a load of stack that was never written is a fault; default true. Otherwise it gives zero. */
  readonly checkUnsetStack?: boolean;
}

export interface RunOptions {
  /** The context: typed values for a hook that is known, bytes for any other. */
  readonly ctx?: ContextValues | Uint8Array;
  /** The socket on which the hook runs. */
  readonly socket?: SimulatedSocket;
  /** The packet, for programs that take one. It is copied. */
  readonly packet?: Uint8Array;
  /** Instructions that may run; default 1,000,000. */
  readonly budget?: number;
  /** Whether to count which instructions run, for `World.coverage`; default true. */
  readonly coverage?: boolean;
}

export interface RunResult {
  /** What the program returned: the low half of r0, signed, as the kernel takes it. */
  readonly returned: number;
  /** All of r0. */
  readonly r0: bigint;
  /** The context as the program left it; empty for one that was given as bytes. */
  readonly ctx: ContextValues;
  /** The bytes of the context as the program left it. */
  readonly contextBytes: Uint8Array;
  /** The packet as the program left it. */
  readonly packet: Uint8Array | undefined;
  /**
   * For cgroup hooks: what the system call that ran into the hook gets, 0 or a
   * negative error number. A program that returns 0 and has set no error gives
   * `-EPERM`.
   */
  readonly retval: number | undefined;
  /** Instructions that ran, an `lddw` counting as one. */
  readonly steps: number;
}

/** What helpers may know of the run that calls them. */
export interface CurrentRun {
  readonly context: Region;
  readonly socket: SimulatedSocket | undefined;
  readonly packet: Uint8Array | undefined;
  retval: number;
}

const EPERM = 1;
const DEFAULT_BUDGET = 1_000_000;

/**
 * A simulated kernel: maps, sockets, clock, chance, and programs that run
 * against them one after another.
 */
export class World implements Environment {
  readonly maps: SimulatedMaps;
  /** The clock, in nanoseconds. */
  time: bigint;
  /** The CPU that programs run on, for per-CPU maps. */
  cpu = 0;
  random: () => number;
  task: Task;
  readonly netnsCookie: bigint;
  /** Lines that programs have printed with `bpf_trace_printk`. */
  readonly trace: string[] = [];
  /** The run under way, for helpers. */
  current: CurrentRun | undefined;
  readonly #machine: Machine;
  readonly #helpers: HelperTable;
  readonly #kernelFunctions: Readonly<Record<string, WorldHelper>>;
  /** By number, with this world bound to them; null where there is none. */
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

  /** User space's handle of a map. @throws {RangeError} for a type that is not simulated */
  map<D extends MapDefinition>(definition: D): SimulatedMap<D> {
    return this.maps.of(definition);
  }

  /** Makes a socket. */
  socket({ cookie, netnsCookie, ...fields }: SocketOptions = {}): SimulatedSocket {
    if (cookie !== undefined && cookie >= this.#nextCookie) this.#nextCookie = cookie + 1n;
    return new SimulatedSocket(cookie ?? this.#nextCookie++, netnsCookie ?? this.netnsCookie, fields);
  }

  /** What the kernel does after `sock_release` has run: the socket's storage goes. */
  destroy(socket: SimulatedSocket): void {
    this.maps.forget(socket);
  }

  /**
   * Runs a program once.
   * @throws {SimulationFault} where it does what it may not do
   * @throws {RangeError} for a context or map that does not fit, {SchemaError} for a value in the context
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
        const reason = `the program has ended, and a record of ring buffer ${open} is neither submitted nor discarded`;
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

  /** What of a program the runs in this world have covered so far. */
  coverage(source: Program | CompilableProgram): Coverage {
    const { instructions } = finishedProgram(source);
    return new Coverage(instructions, this.#machine.countersOf(instructions));
  }

  /** For the machine: the helper of that number, with this world bound to it. */
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

  /** For the machine: what an `lddw` of a map, or of an address in its first value, refers to. */
  reference({ reference }: Instruction): { region: Region; offset: number } | undefined {
    if (reference === undefined || (reference.kind !== "map" && reference.kind !== "map-value")) return undefined;
    const map = this.maps.named(reference.name);
    if (map === undefined) return undefined;
    if (reference.kind === "map") return { region: map.region, offset: 0 };
    if (!(map instanceof KeyedMap)) return undefined;
    const first = map.valueOf(new Uint8Array(map.definition.key.size), this.cpu);
    return first === undefined ? undefined : { region: first, offset: reference.offset };
  }

  /** For the machine: the program that a tail call goes to. */
  tailCall(call: HelperCall): TranslatedProgram | undefined {
    const { region } = call.pointer(2);
    const map = region instanceof MapRegion ? region.map : undefined;
    if (!(map instanceof ProgramArray))
      throw new ReasonForFault(`r2 points to ${region.name}, not to an array of programs`);
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
      throw new RangeError(`the simulator does not know the context of ${program.section}: give it as bytes`);
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

  /** Ends the records that a program has left open, which the verifier would have refused; the name of their ring buffer. */
  #discardRecords(): string | undefined {
    let open: string | undefined;
    for (const map of this.maps.all()) if (map instanceof RingBuffer && map.discardUnfinished()) open = map.name;
    return open;
  }
}

/** The lowest bit of the result is the verdict; an error number that was set comes before the general one. */
function systemCallResult(returned: number, retval: number): number {
  const isError = retval < 0 && retval >= -4095;
  return (returned & 1) === 0 && !isError ? -EPERM : retval;
}
