/** The memory layout of contexts, from the fields and access rights of the hooks. */
import type { Program } from "../../asm/index.ts";
import { BPF_SOCK_SIZE, bpfSock, hookOf, type ContextFields } from "../../hooks/index.ts";

export interface ContextLayout {
  /** The hook's section or the struct's name; for errors. */
  readonly name: string;
  /** Bytes of the struct. */
  readonly size: number;
  readonly fields: ContextFields;
}

/** `struct bpf_sock` behind a pointer such as `ctx->sk`: every field is readable, none is writable. */
export const socketLayout: ContextLayout = { name: "bpf_sock", size: BPF_SOCK_SIZE, fields: bpfSock };

/** The context layout of a program; undefined if no hook is declared for it. */
export function layoutOf(program: Program): ContextLayout | undefined {
  const hook = hookOf(program);
  return hook && { name: hook.sections[0], size: hook.contextSize, fields: hook.context };
}
