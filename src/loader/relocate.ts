import { encode, isWide, type Program, SLOT_SIZE } from "../asm/index.ts";
import { kernelBtf } from "../btf/index.ts";
import { LoaderError } from "./error.ts";

/** Resolves the references of instructions. */
export interface Numbers {
  /** The file descriptor of a map. */
  map(name: string): number;
  /** The BTF id of a kernel function. */
  kernelFunction(name: string): number;
}

/**
 * Encodes a program with its references resolved. The instructions already contain the kind of each reference
 * (`BPF_PSEUDO_*`).
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
          `cannot load program ${program.name}: label ${reference.name} is not resolved; assemble the program first`,
        );
      case "missing":
      case undefined:
        break;
    }
    position += isWide(instruction) ? 2 * SLOT_SIZE : SLOT_SIZE;
  }
  return code;
}

/**
 * The BTF id of a kernel function that programs may call.
 * @throws {LoaderError} if this kernel lacks the function
 * @throws {BtfError} if the kernel does not publish its types
 */
export function kernelFunctionId(name: string): number {
  const id = kernelBtf().find("func", name);
  if (id === undefined) throw new LoaderError(`cannot call kernel function ${name}: this kernel's BTF lacks it`);
  return id;
}
