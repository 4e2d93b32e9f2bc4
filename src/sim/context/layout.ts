/** The contexts of programs as memory. Fields and rights are those of the hooks. */
import type { Program } from "../../asm/index.ts";
import { BPF_SOCK_SIZE, bpfSock, hookOf, type ContextFields } from "../../hooks/index.ts";

export interface ContextLayout {
  /** For errors: the hook's section, or the struct's name. */
  readonly name: string;
  /** Bytes of the struct. */
  readonly size: number;
  readonly fields: ContextFields;
}

/** `struct bpf_sock` behind a pointer such as `ctx->sk`: programs read all of it and write none of it. */
export const socketLayout: ContextLayout = { name: "bpf_sock", size: BPF_SOCK_SIZE, fields: bpfSock };

/** The context of a program; undefined where no hook is declared for it. */
export function layoutOf(program: Program): ContextLayout | undefined {
  const hook = hookOf(program);
  return hook && { name: hook.sections[0], size: hook.contextSize, fields: hook.context };
}
