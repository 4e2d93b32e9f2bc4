/** From a module to instructions: the order of the stages. */
import { assembleWithLabels, type Instruction, type Item, type ProgramFunction } from "../asm/index.ts";
import { checkCallDepth, reachableFunctions } from "./call-graph.ts";
import type { IrFunction, IrModule } from "./ir/ir.ts";
import { printFunction } from "./ir/print.ts";
import { validate } from "./ir/validate.ts";
import { allocateRegisters } from "./machine/allocate.ts";
import { layOutFrame } from "./machine/frame.ts";
import { emit } from "./machine/layout.ts";
import type { InstructionSet } from "./instruction-set.ts";
import { lower } from "./machine/lower.ts";
import type { MachineFunction } from "./machine/machine.ts";
import { printMachine } from "./machine/print.ts";
import { tidy } from "./machine/tidy.ts";
import { passesFor, type Pass } from "./passes/index.ts";

export interface CompileOptions {
  /** Default: 3, supported since Linux 5.1. */
  readonly isa?: InstructionSet;
  /** Default: true. */
  readonly optimise?: boolean;
  /** Called with each stage's name and its text. */
  onStage?(name: string, text: string): void;
  /** Whether to check the form before and after each pass; default: false. */
  readonly validate?: boolean;
}

export interface CompiledCode {
  /** Labels are resolved; references to maps and kernel functions stay open. */
  readonly instructions: Instruction[];
  /** The main function first: index of each one's first instruction (an `lddw` counts as one). */
  readonly functions: ProgramFunction[];
  /** The stack of the deepest call chain. With calls, frames are rounded up to 32 bytes, as in the kernel. */
  readonly stackBytes: number;
}

/**
 * @throws {CompileError} where the stack frame is too large, or the instruction set lacks an operation of the program.
 */
export function compile(module: IrModule, options: CompileOptions = {}): CompiledCode {
  const { isa = 3 } = options;
  // Optimisation may have removed the last call of a function.
  const [main, ...others] = reachableFunctions(module.functions).map((fn) => optimised(fn, isa, options));
  const functions = reachableFunctions([main!, ...others]);
  const items: Item[] = [];
  const frames = new Map<string, number>();
  for (const fn of functions) {
    const machine = allocate(lower(fn, isa), options);
    const frame = layOutFrame(machine);
    frames.set(fn.name, frame.bytes);
    items.push(...emit(machine, frame, isa));
  }
  const { instructions, labels } = assembleWithLabels(items, { longJumps: isa >= 4 });
  return {
    instructions,
    functions: functions.map(({ name }) => ({ name, start: labels.get(name)! })),
    stackBytes: checkCallDepth(functions, frames),
  };
}

function optimised(fn: IrFunction, isa: InstructionSet, options: CompileOptions): IrFunction {
  const check = options.validate === true ? validate : () => {};
  options.onStage?.(`${fn.name}: as built`, printFunction(fn));
  check(fn, "as built");
  /** Passes with nothing to do: nothing they could use has changed since they ran. */
  const done = new Set<Pass>();
  for (const pass of passesFor(isa, options.optimise ?? true)) {
    if (done.has(pass)) continue;
    const before = fn;
    const { name } = pass;
    fn = pass.run(fn);
    if (fn !== before) {
      for (const other of done) if (other.unmovedBy?.includes(pass) !== true) done.delete(other);
      check(fn, name);
      options.onStage?.(`${fn.name}: ${name}`, printFunction(fn));
    }
    done.add(pass);
  }
  return fn;
}

function allocate(machine: MachineFunction, options: CompileOptions): MachineFunction {
  options.onStage?.(`${machine.name}: instructions selected`, printMachine(machine));
  const allocated = allocateRegisters(machine);
  options.onStage?.(`${machine.name}: registers allocated`, printMachine(allocated));
  if (options.optimise === false) return allocated;
  const tidied = tidy(allocated);
  options.onStage?.(`${machine.name}: ends joined`, printMachine(tidied));
  return tidied;
}
