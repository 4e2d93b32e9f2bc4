import { type Instruction, opcodes as op } from "../asm/index.ts";
import { toUnsigned } from "./arithmetic.ts";
import { ReasonForFault, SimulationFault } from "./fault.ts";
import { HelperCall, type Helper } from "./helper-call.ts";
import { AddressSpace, FIRST_FRAME_HIGH, MAX_CALL_DEPTH, PACKET_HIGH } from "./memory/address-space.ts";
import { Region, REGION_START } from "./memory/region.ts";
import { StackFrame } from "./memory/stack-frame.ts";
import type { TranslatedProgram } from "./translate/program.ts";

/** The surroundings of a program: the simulator's counterpart of the kernel. */
export interface Environment {
  /** The helper with that number. */
  helper(number: number): Helper | undefined;
  /** The kernel function with that name. */
  kernelFunction(name: string): Helper | undefined;
  /** Resolves the reference of an `lddw`: a map, or an address inside a map's value. Undefined if unknown. */
  reference(instruction: Instruction): { readonly region: Region; readonly offset: number } | undefined;
  /** The target of a tail call with the arguments of `call`; undefined if the tail call fails. */
  tailCall(call: HelperCall): TranslatedProgram | undefined;
}

/** The number of runs of each instruction and of jumps taken, by index. */
export interface Counters {
  readonly executed: Float64Array;
  readonly taken: Float64Array;
}

export interface MachineOptions {
  /** Whether loading unwritten stack is a fault (the default) or yields zero. */
  readonly checkUnsetStack?: boolean;
}

/** The most tail calls in a run (`MAX_TAIL_CALL_CNT`). */
const MAX_TAIL_CALLS = 33;

/** The program's code; its addresses are the operands of callbacks and `callx`. */
class CodeRegion extends Region {
  readonly program: TranslatedProgram;

  constructor(program: TranslatedProgram) {
    super("the program's code", new Uint8Array(0), "none");
    this.program = program;
  }
}

/** Runs translated programs. Public members serve generated code too. */
export class Machine {
  readonly space = new AddressSpace();
  /** Instructions run so far, including the whole current block. */
  steps = 0;
  budget = 0;
  /** High half of the last 64-bit result; its low half was returned. */
  high = 0;
  readonly #environment: Environment;
  readonly #frames: readonly StackFrame[];
  readonly #code = new Map<TranslatedProgram, CodeRegion>();
  readonly #counters = new Map<readonly Instruction[], Counters>();
  #tailCalls = 0;

  constructor(environment: Environment, { checkUnsetStack = true }: MachineOptions = {}) {
    this.#environment = environment;
    this.#frames = Array.from({ length: MAX_CALL_DEPTH }, (_, depth) => {
      const frame = new StackFrame(depth, checkUnsetStack);
      frame.owner = this.space;
      frame.high = FIRST_FRAME_HIGH + depth;
      return (this.space.regions[frame.high] = frame);
    });
  }

  /** Drops the pointers of the last run. Add the regions of the next run afterwards. */
  prepare(): void {
    this.space.reset();
    for (const frame of this.#frames) frame.gone = "which is not in use";
  }

  /**
   * Runs a program from its first instruction.
   * @returns r0
   * @throws {SimulationFault}
   */
  run(program: TranslatedProgram, { r1, r2 = 0n, budget }: { r1: bigint; r2?: bigint; budget: number }): bigint {
    this.steps = 0;
    this.budget = budget;
    this.#tailCalls = 0;
    if (program.instructions.length === 0) throw new RangeError("cannot run a program without instructions");
    const [l1, h1, l2, h2] = [...halves(r1), ...halves(r2)] as [number, number, number, number];
    const low = program.function(0)(this, 0, l1, h1, l2, h2, 0, 0, 0, 0, 0, 0);
    return toUnsigned(low, this.high);
  }

  /** The counters of an instruction list, accumulated over all runs. */
  countersOf(instructions: readonly Instruction[]): Counters {
    let counters = this.#counters.get(instructions);
    if (counters === undefined) {
      const { length } = instructions;
      counters = { executed: new Float64Array(length), taken: new Float64Array(length) };
      this.#counters.set(instructions, counters);
    }
    return counters;
  }

  fault(program: TranslatedProgram, index: number, reason: string): never {
    throw new SimulationFault(index, program.instructions[index]!, reason);
  }

  exhausted(program: TranslatedProgram, first: number, length: number, steps: number): never {
    const left = Math.max(0, this.budget - (steps - length));
    this.fault(program, first + left, `the budget of ${this.budget} instructions is exhausted`);
  }

  enter(depth: number): StackFrame {
    const frame = this.#frames[depth]!;
    frame.clear();
    return frame;
  }

  leave(depth: number): void {
    this.#frames[depth]!.gone = "whose function has returned";
  }

  load(program: TranslatedProgram, index: number, high: number, low: number, size: number): number {
    try {
      const value = this.space.load(high, low, size);
      this.high = this.space.high;
      return value;
    } catch (error) {
      this.#blame(program, index, error);
    }
  }

  store(
    program: TranslatedProgram,
    index: number,
    high: number,
    low: number,
    size: number,
    valueLow: number,
    valueHigh: number,
  ): void {
    try {
      this.space.store(high, low, size, valueLow, valueHigh);
    } catch (error) {
      this.#blame(program, index, error);
    }
  }

  /** A read-modify-write (RFC 9669, section 5.3); returns the old value. */
  atomic(
    program: TranslatedProgram,
    index: number,
    operation: number,
    high: number,
    low: number,
    size: number,
    valueLow: number,
    valueHigh: number,
    expectedLow: number,
    expectedHigh: number,
  ): number {
    const oldLow = this.load(program, index, high, low, size);
    const oldHigh = this.high;
    let newLow = valueLow;
    let newHigh = valueHigh;
    switch (operation & ~op.BPF_FETCH) {
      case op.BPF_ADD:
        newLow = (oldLow + valueLow) | 0;
        newHigh = (oldHigh + valueHigh + (newLow >>> 0 < oldLow >>> 0 ? 1 : 0)) | 0;
        break;
      case op.BPF_OR:
        newLow |= oldLow;
        newHigh |= oldHigh;
        break;
      case op.BPF_AND:
        newLow &= oldLow;
        newHigh &= oldHigh;
        break;
      case op.BPF_XOR:
        newLow ^= oldLow;
        newHigh ^= oldHigh;
        break;
      case op.BPF_CMPXCHG & ~op.BPF_FETCH:
        if (oldLow !== expectedLow || (size === 8 && oldHigh !== expectedHigh)) {
          newLow = oldLow;
          newHigh = oldHigh;
        }
    }
    this.store(program, index, high, low, size, newLow, newHigh);
    this.high = oldHigh;
    return oldLow;
  }

  /** Whether a legacy packet load stays within the packet. */
  packetHolds(program: TranslatedProgram, index: number, offset: number, size: number): boolean {
    const packet = this.space.regions[PACKET_HIGH]!;
    if (packet.protection === "none")
      this.fault(program, index, "the instruction loads from the packet, but the run has no packet");
    return offset >= 0 && offset + size <= packet.bytes.length;
  }

  /** A legacy packet load, in network byte order. */
  packet(offset: number, size: number): number {
    const { view } = this.space.regions[PACKET_HIGH]!;
    if (size === 1) return view.getUint8(offset);
    return size === 2 ? view.getUint16(offset) : view.getInt32(offset);
  }

  reference(program: TranslatedProgram, index: number): number {
    const instruction = program.instructions[index]!;
    const found = this.#environment.reference(instruction);
    if (found === undefined) {
      this.fault(
        program,
        index,
        "cannot resolve the reference: refer to a map by its name, and add it to the program's maps",
      );
    }
    this.high = this.space.highOf(found.region);
    return REGION_START + found.offset;
  }

  codeHigh(program: TranslatedProgram): number {
    let code = this.#code.get(program);
    if (code === undefined) this.#code.set(program, (code = new CodeRegion(program)));
    return this.space.highOf(code);
  }

  callHelper(
    program: TranslatedProgram,
    index: number,
    depth: number,
    number: number,
    l1: number,
    h1: number,
    l2: number,
    h2: number,
    l3: number,
    h3: number,
    l4: number,
    h4: number,
    l5: number,
    h5: number,
  ): number {
    const helper = this.#environment.helper(number);
    if (helper === undefined)
      this.fault(program, index, `the simulator does not implement helper ${number}; pass one in the option helpers`);
    return this.#call(helper, program, index, new HelperCall(this, depth, l1, h1, l2, h2, l3, h3, l4, h4, l5, h5));
  }

  callKernelFunction(
    program: TranslatedProgram,
    index: number,
    depth: number,
    l1: number,
    h1: number,
    l2: number,
    h2: number,
    l3: number,
    h3: number,
    l4: number,
    h4: number,
    l5: number,
    h5: number,
  ): number {
    const { reference, immediate } = program.instructions[index]!;
    const name = reference?.kind === "kernel-function" ? reference.name : undefined;
    const helper = name === undefined ? undefined : this.#environment.kernelFunction(name);
    if (helper === undefined) {
      const what = name ?? `with BTF id ${immediate}`;
      const hint = "pass it in the option kernelFunctions";
      this.fault(program, index, `the simulator does not implement kernel function ${what}; ${hint}`);
    }
    return this.#call(helper, program, index, new HelperCall(this, depth, l1, h1, l2, h2, l3, h3, l4, h4, l5, h5));
  }

  /** `callx` of a function's address or of a helper's number (the conformance suite's `callx`). */
  callRegister(
    program: TranslatedProgram,
    index: number,
    depth: number,
    low: number,
    high: number,
    l1: number,
    h1: number,
    l2: number,
    h2: number,
    l3: number,
    h3: number,
    l4: number,
    h4: number,
    l5: number,
    h5: number,
  ): number {
    if (high === 0 && low > 0 && low < REGION_START) {
      return this.callHelper(program, index, depth, low, l1, h1, l2, h2, l3, h3, l4, h4, l5, h5);
    }
    try {
      return this.callFunction(low, high, depth, l1, h1, l2, h2, l3, h3, l4, h4, l5, h5);
    } catch (error) {
      this.#blame(program, index, error);
    }
  }

  /**
   * Calls the function at an address, for `callx` and helpers with callbacks.
   * @throws {ReasonForFault} if the address is not a function, or too many calls are open
   */
  callFunction(
    low: number,
    high: number,
    depth: number,
    l1: number,
    h1: number,
    l2: number,
    h2: number,
    l3: number,
    h3: number,
    l4: number,
    h4: number,
    l5: number,
    h5: number,
  ): number {
    const { region, offset } = this.space.find(high, low);
    if (!(region instanceof CodeRegion)) throw new ReasonForFault(`call of an address in ${region.name}`);
    if (depth > MAX_CALL_DEPTH - 2) throw new ReasonForFault(`more than ${MAX_CALL_DEPTH} calls are open`);
    return region.program.function(offset / 8)(this, depth + 1, l1, h1, l2, h2, l3, h3, l4, h4, l5, h5);
  }

  tailCall(
    program: TranslatedProgram,
    index: number,
    depth: number,
    l1: number,
    h1: number,
    l2: number,
    h2: number,
    l3: number,
    h3: number,
    l4: number,
    h4: number,
    l5: number,
    h5: number,
  ): TranslatedProgram | null {
    try {
      const target = this.#environment.tailCall(new HelperCall(this, depth, l1, h1, l2, h2, l3, h3, l4, h4, l5, h5));
      if (target === undefined || this.#tailCalls === MAX_TAIL_CALLS) return null;
      this.#tailCalls++;
      return target;
    } catch (error) {
      this.#blame(program, index, error);
    }
  }

  #call(helper: Helper, program: TranslatedProgram, index: number, call: HelperCall): number {
    try {
      return call.give(helper(call));
    } catch (error) {
      this.#blame(program, index, error);
    }
  }

  #blame(program: TranslatedProgram, index: number, error: unknown): never {
    if (error instanceof ReasonForFault) this.fault(program, index, error.message);
    throw error;
  }
}

function halves(value: bigint): [number, number] {
  return [Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n))];
}
