import { encode, formatListing, type Program } from "../../asm/index.ts";
import { linux, VerifierError } from "../../kernel/index.ts";
import { World } from "../world.ts";
import { randomProgram, type InstructionChoice } from "./random-program.ts";

export interface Comparison {
  /** Programs with equal results in both. */
  readonly agreed: number;
  /** Programs refused by the kernel's verifier. */
  readonly refused: number;
  /** Instructions run by the simulator. */
  readonly steps: number;
  /** Why the first refused program was refused. */
  readonly firstRefusal: string | undefined;
}

/** The simulator and the kernel computed different results. */
export class Disagreement extends Error {
  override readonly name = "Disagreement";
}

/**
 * Runs the random programs of `count` seeds, starting at `seed`, in the simulator and in the kernel
 * (`BPF_PROG_TEST_RUN`, needs root).
 * @throws {Disagreement} at the first difference in the result or in any byte of the packet
 */
export function compareWithKernel(
  seed: number,
  count: number,
  choice: InstructionChoice,
  progress: (done: number) => void = () => {},
): Comparison {
  let agreed = 0;
  let refused = 0;
  let steps = 0;
  let firstRefusal: string | undefined;
  for (let i = 0; i < count; i++) {
    const { program, packet } = randomProgram(seed + i, choice);
    const inKernel = runInKernel(program, packet);
    if (typeof inKernel === "string") {
      refused++;
      firstRefusal ??= `seed ${seed + i}: ${inKernel}`;
    } else {
      const simulated = new World().run(program, { packet, coverage: false });
      if (simulated.returned !== inKernel.returned || Buffer.compare(simulated.packet!, inKernel.packet) !== 0) {
        throw new Disagreement(
          `seed ${seed + i}: ${difference(simulated.returned, simulated.packet!, inKernel)}\n` +
            formatListing(program.instructions),
        );
      }
      steps += simulated.steps;
      agreed++;
    }
    progress(i + 1);
  }
  return { agreed, refused, steps, firstRefusal };
}

interface KernelRun {
  readonly returned: number;
  readonly packet: Uint8Array;
}

function runInKernel(program: Program, packet: Uint8Array): KernelRun | string {
  let loaded;
  try {
    loaded = linux.loadProgram({ ...program, code: encode(program.instructions) });
  } catch (error) {
    if (error instanceof VerifierError) return error.message;
    throw error;
  }
  try {
    const { returnValue, data } = linux.testRunProgram(loaded.fd, { data: packet });
    return { returned: returnValue | 0, packet: data };
  } finally {
    loaded.fd.close();
  }
}

function difference(returned: number, packet: Uint8Array, kernel: KernelRun): string {
  const bytes = [...packet.keys()].filter((index) => packet[index] !== kernel.packet[index]);
  return [
    ...(returned === kernel.returned ? [] : [`the simulator returns ${returned}, the kernel ${kernel.returned}`]),
    ...(bytes.length === 0 ? [] : [`bytes ${bytes.join(", ")} of the packet differ`]),
  ].join("; ");
}
