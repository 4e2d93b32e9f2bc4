import { allBtfFeatures, type BtfFeatures } from "../btf/index.ts";
import { BpfError, type Fd, type Kernel } from "../kernel/index.ts";
import { btfFeatures } from "./features.ts";

/**
 * BTF that the kernel has taken, with what else was made along with it.
 * `make` is asked for everything first; where the kernel refuses that, for what
 * it was found to know.
 *
 * @returns undefined where `make` gives none
 * @throws {BpfError} where the kernel refuses the reduced form too
 */
export function acceptedBtf<T extends { readonly btf: Uint8Array }>(
  make: (features: BtfFeatures) => T | undefined,
  subject: string,
  kernel: Kernel,
): (T & { readonly fd: Fd }) | undefined {
  const full = make(allBtfFeatures);
  if (full === undefined) return undefined;
  try {
    return { ...full, fd: kernel.loadBtf(full.btf, subject) };
  } catch (error) {
    if (!(error instanceof BpfError)) throw error;
    const reduced = make(btfFeatures(kernel))!;
    return { ...reduced, fd: kernel.loadBtf(reduced.btf, subject) };
  }
}
