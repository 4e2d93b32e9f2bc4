import type { Instruction } from "../asm/index.ts";
import { ReasonForFault } from "./fault.ts";
import type { Helper } from "./helper-call.ts";
import { Machine, type Environment } from "./machine.ts";
import { Region } from "./memory/region.ts";
import { translateProgram } from "./translate/program.ts";

/** The result of `execute`. */
export interface Execution {
  /** r0 at the end of the run, unsigned. */
  readonly result: bigint;
  /** The memory at the end of the run. */
  readonly memory: Uint8Array;
  /** Number of instructions that ran. */
  readonly steps: number;
}

/**
 * Runs bare instructions, with one piece of memory and no kernel beyond `helpers`. r1 is the address of the
 * memory's first byte, or 0 if the memory is empty; r2 is its length in bytes. Legacy packet loads read from it
 * too.
 * @param budget the most instructions to run
 * @throws {SimulationFault} if the program does something illegal or exceeds the budget
 * @throws {RangeError} if there are no instructions
 * @example
 * ```ts
 * import { assemble, exit, mov, mul, r0 } from "tsbpf/asm";
 * import { execute } from "tsbpf/sim";
 *
 * const code = assemble([mov(r0, 6), mul(r0, 7), exit()]);
 * console.log(execute(code, new Uint8Array(0), 1000).result); // 42n
 * ```
 */
export function execute(
  instructions: readonly Instruction[],
  memory: Uint8Array,
  budget: number,
  helpers: ReadonlyMap<number, Helper> = new Map(),
): Execution {
  const environment: Environment = {
    helper: (number) => helpers.get(number),
    kernelFunction: () => undefined,
    reference: () => undefined,
    tailCall() {
      throw new ReasonForFault("this run has no other programs to call");
    },
  };
  const machine = new Machine(environment);
  machine.prepare();
  const region = new Region("the memory", memory.slice());
  let address = 0n;
  if (memory.length > 0) {
    machine.space.setPacket(region);
    address = machine.space.addressOf(region);
  }
  const program = translateProgram(instructions, { coverage: false });
  const result = machine.run(program, { r1: address, r2: BigInt(memory.length), budget });
  return { result, memory: region.bytes, steps: machine.steps };
}
