import type { AttachType, ProgramType, ScalarKind } from "../types/index.ts";

/**
 * A field of a program's context, as the verifier lets programs of a hook use
 * it. `size` is the width of the access in bytes, which may exceed the width of
 * the number: `user_port` is a 32-bit field that holds a 16-bit port.
 */
export interface ContextField<K extends ScalarKind = ScalarKind, W extends boolean = boolean> {
  /** Bytes from the start of the context. */
  readonly offset: number;
  readonly kind: K;
  readonly size: 1 | 2 | 4 | 8;
  readonly writable: W;
}

/** The fields that programs may read through a pointer from the context. */
export type PointerFields = Readonly<Record<string, ContextField | ContextArray>>;

/** An address in the context: helpers take it, and programs read `fields` through it. */
export interface ContextPointer<T extends string = string, F extends PointerFields = PointerFields> {
  readonly offset: number;
  readonly pointer: T;
  readonly fields: F;
}

/** An IPv6 address: four words in the kernel's struct. */
export interface ContextArray<W extends boolean = boolean> {
  /** True where the verifier takes accesses of 8 bytes (`bpf_ctx_wide_access_ok` in linux/filter.h); else of 4. */
  readonly wide?: true;
  readonly element: ContextField<"be32", W>;
  readonly count: 4;
}

/** The fields of a context by their names in TypeScript. */
export type ContextFields = Readonly<Record<string, ContextField | ContextPointer | ContextArray>>;

/** The kinds of object that programs attach to. */
export type TargetKind = "cgroup" | "interface" | "socket";

/** A place in the kernel where BPF programs run: the facts that loaders and object files need. */
export interface ProgramKind {
  /** libbpf's section names: the first one is written to object files, all are read. */
  readonly sections: readonly [string, ...string[]];
  /** True where a section's name may go on with `/` and what the program attaches to. */
  readonly sectionNamesTarget?: true;
  readonly type: ProgramType;
  readonly expectedAttachType?: AttachType;
  /** The kernel's struct behind the program's first argument; absent if it is not a struct (`linux/bpf_types.h`). */
  readonly contextType?: string;
}

/**
 * A hook: where its programs attach, and what the verifier lets them do there.
 * The builder's types, BTF, object files, the loader and the simulator derive
 * from this one declaration.
 */
export interface Hook extends ProgramKind {
  readonly contextType: string;
  /** Bytes of that struct. */
  readonly contextSize: number;
  readonly context: ContextFields;
  /** The numbers that a program may return; `"any"` for every number of 32 bits. */
  readonly returns: readonly number[] | "any";
  /** Families of helper functions that the kernel has for this hook (`src/dsl/helpers`). */
  readonly helpers: readonly string[];
  /** The kind of target for its programs. */
  readonly target: TargetKind;
  /** True where the hook runs inside a system call that a program can make fail. */
  readonly inSystemCall?: true;
  /** Values of context fields that a simulated run starts with. */
  readonly simulated?: Readonly<Record<string, string | number>>;
}

/** Checks a declaration and keeps its literal types. */
export const hook = <const H extends Hook>(declaration: H): H => declaration;

/** A field that programs may only read. */
export const readable = <K extends ScalarKind>(
  offset: number,
  kind: K,
  size: 1 | 2 | 4 | 8 = 4,
): ContextField<K, false> => ({ offset, kind, size, writable: false });

/** A field that programs may read and write. */
export const writable = <K extends ScalarKind>(
  offset: number,
  kind: K,
  size: 1 | 2 | 4 | 8 = 4,
): ContextField<K, true> => ({ offset, kind, size, writable: true });

/** A pointer to a kernel object. */
export const pointer = <T extends string, F extends PointerFields = {}>(
  offset: number,
  points: T,
  fields: F = {} as F,
): ContextPointer<T, F> => ({ offset, pointer: points, fields });
