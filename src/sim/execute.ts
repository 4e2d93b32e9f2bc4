import type { Instruction } from "../asm/index.ts";
import { ReasonForFault } from "./fault.ts";
import type { Helper } from "./helper-call.ts";
import { Machine, type Environment } from "./machine.ts";
import { Region } from "./memory/region.ts";
import { translateProgram } from "./translate/program.ts";

export interface Execution {
  /** r0 at the end, unsigned. */
  readonly result: bigint;
  /** The memory at the end. */
  readonly memory: Uint8Array;
  /** Instructions that ran. */
  readonly steps: number;
}

/**
 * Runs instructions by themselves: no maps, no kernel but `helpers`, and one
 * piece of memory. r1 is the address of its first byte, or 0 where it is empty,
 * and r2 its length in bytes; legacy packet loads read from it too.
 * @throws {SimulationFault}
 * @throws {RangeError} where there are no instructions
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
      throw new ReasonForFault("there are no other programs to call");
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
