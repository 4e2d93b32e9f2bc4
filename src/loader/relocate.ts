import { encode, isWide, SLOT_SIZE } from "../asm/encode.ts";
import { kernelBtf } from "../btf/kernel.ts";
import type { Program } from "../types/index.ts";
import { LoaderError } from "./error.ts";

/** Where the numbers come from that instructions leave open. */
export interface Numbers {
  /** The file descriptor of a map. */
  map(name: string): number;
  /** The BTF id of a kernel function. */
  kernelFunction(name: string): number;
}

/**
 * A program's bytes with its references filled in. What kind of number each is
 * (`BPF_PSEUDO_*`) stands in the instruction already.
 * @throws {LoaderError} for a label that the assembler has not resolved
 */
export function relocate(program: Program, numbers: Numbers): Uint8Array {
  const code = encode(program.instructions);
  const view = new DataView(code.buffer, code.byteOffset, code.byteLength);
  let position = 0;
  for (const instruction of program.instructions) {
    const { reference } = instruction;
    switch (reference?.kind) {
      case "map":
        view.setInt32(position + 4, numbers.map(reference.name), true);
        break;
      case "map-value":
        view.setInt32(position + 4, numbers.map(reference.name), true);
        view.setInt32(position + SLOT_SIZE + 4, reference.offset, true);
        break;
      case "kernel-function":
        view.setInt32(position + 4, numbers.kernelFunction(reference.name), true);
        break;
      case "label":
      case "function":
        throw new LoaderError(
          `program ${program.name} refers to label ${reference.name}, which is not resolved: it has to go through the assembler first`,
        );
      case undefined:
        break;
    }
    position += isWide(instruction) ? 2 * SLOT_SIZE : SLOT_SIZE;
  }
  return code;
}

/**
 * The BTF id of a function that the kernel lets programs call.
 * @throws {LoaderError} where this kernel has none of that name
 * @throws {BtfError} where the kernel does not tell its types
 */
export function kernelFunctionId(name: string): number {
  const id = kernelBtf().find("func", name);
  if (id === undefined) throw new LoaderError(`this kernel has no function ${name} in its BTF`);
  return id;
}
