import { allBtfFeatures, type BtfFeatures } from "../btf/index.ts";
import { BpfError, type Fd, type Kernel } from "../kernel/index.ts";
import { btfFeatures } from "./features.ts";

/**
 * Loads BTF, with every feature if the kernel accepts it, else with the features that the kernel has.
 *
 * @param make builds the BTF for a set of features, and whatever belongs to it
 * @returns what `make` returned and the descriptor of the BTF; undefined if `make` returns undefined
 * @throws {BpfError} if the kernel refuses the reduced form too
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
