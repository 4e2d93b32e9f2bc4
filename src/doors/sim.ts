/** A simulator of the BPF machine: programs run and are tested off the kernel. */
export * from "../sim/index.ts";
