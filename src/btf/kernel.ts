import { readFileSync } from "node:fs";
import { Btf } from "./btf.ts";
import { BtfError } from "./format.ts";

const PATH = "/sys/kernel/btf/vmlinux";

let kernel: Btf | undefined;

/**
 * The types of the running kernel, read once a process. Types of kernel modules are not among them.
 * @throws {BtfError} if the kernel shows none (it was built without CONFIG_DEBUG_INFO_BTF)
 *
 * @example
 * ```ts
 * import { fieldOf, kernelBtf } from "tsbpf/btf";
 *
 * const btf = kernelBtf();
 * console.log(fieldOf(btf, btf.find("struct", "sock")!, "__sk_common.skc_dport").offset / 8);
 * ```
 */
export function kernelBtf(): Btf {
  if (kernel === undefined) {
    let blob: Uint8Array;
    try {
      blob = readFileSync(PATH);
    } catch (error) {
      throw new BtfError(
        `cannot read the running kernel's types from ${PATH}: ${(error as Error).message}. ` +
          "Relocation against the kernel (CO-RE) needs a kernel with CONFIG_DEBUG_INFO_BTF, " +
          "or BTF passed by the caller",
        { cause: error },
      );
    }
    kernel = new Btf(blob);
  }
  return kernel;
}
