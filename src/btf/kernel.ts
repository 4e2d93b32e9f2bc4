import { readFileSync } from "node:fs";
import { Btf } from "./btf.ts";
import { BtfError } from "./format.ts";

const PATH = "/sys/kernel/btf/vmlinux";

let kernel: Btf | undefined;

/**
 * The types of the running kernel. Read when first asked for, and once a process.
 * @throws {BtfError} where the kernel gives none (it was built without CONFIG_DEBUG_INFO_BTF).
 */
export function kernelBtf(): Btf {
  if (kernel === undefined) {
    let blob: Uint8Array;
    try {
      blob = readFileSync(PATH);
    } catch (error) {
      throw new BtfError(
        `the running kernel's types cannot be read from ${PATH}: ${(error as Error).message}. ` +
          "Relocation against the kernel (CO-RE) needs a kernel with CONFIG_DEBUG_INFO_BTF, or BTF given by the caller",
        { cause: error },
      );
    }
    kernel = new Btf(blob);
  }
  return kernel;
}
