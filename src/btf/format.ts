/**
 * The BPF Type Format: its header, its kinds and their sizes
 * (`linux/btf.h`; Documentation/bpf/btf.rst in the kernel).
 */

/** The first two bytes of a blob, in the byte order of its machine. */
export const BTF_MAGIC = 0xeb9f;
export const BTF_VERSION = 1;
/** Bytes of `struct btf_header` in version 1, the only one. */
export const BTF_HEADER_SIZE = 24;
/** Bytes of `struct btf_type`, the head of every type. */
export const BTF_TYPE_SIZE = 12;

/** `BTF_KIND_*`. */
export const BtfKind = {
  void: 0,
  int: 1,
  ptr: 2,
  array: 3,
  struct: 4,
  union: 5,
  enum: 6,
  fwd: 7,
  typedef: 8,
  volatile: 9,
  const: 10,
  restrict: 11,
  func: 12,
  func_proto: 13,
  var: 14,
  datasec: 15,
  float: 16,
  decl_tag: 17,
  type_tag: 18,
  enum64: 19,
} as const;

/** The name of a kind: `BTF_KIND_*` in lower case. */
export type BtfKindName = keyof typeof BtfKind;

/** The names of the kinds, by number. */
export const btfKindNames = Object.keys(BtfKind) as readonly BtfKindName[];

/** `BTF_FUNC_STATIC`, `_GLOBAL`, `_EXTERN`; variables use the same numbers. */
export const BtfLinkage = { static: 0, global: 1, extern: 2 } as const;

export type BtfLinkage = keyof typeof BtfLinkage;

/** Bytes after `struct btf_type`: `fixed`, plus `each` for every one of its `vlen` elements. */
export const btfKindSizes: readonly { readonly fixed: number; readonly each: number }[] = [
  { fixed: 0, each: 0 }, // void
  { fixed: 4, each: 0 }, // int
  { fixed: 0, each: 0 }, // ptr
  { fixed: 12, each: 0 }, // array
  { fixed: 0, each: 12 }, // struct
  { fixed: 0, each: 12 }, // union
  { fixed: 0, each: 8 }, // enum
  { fixed: 0, each: 0 }, // fwd
  { fixed: 0, each: 0 }, // typedef
  { fixed: 0, each: 0 }, // volatile
  { fixed: 0, each: 0 }, // const
  { fixed: 0, each: 0 }, // restrict
  { fixed: 0, each: 0 }, // func
  { fixed: 0, each: 8 }, // func_proto
  { fixed: 4, each: 0 }, // var
  { fixed: 0, each: 12 }, // datasec
  { fixed: 0, each: 0 }, // float
  { fixed: 4, each: 0 }, // decl_tag
  { fixed: 0, each: 0 }, // type_tag
  { fixed: 0, each: 12 }, // enum64
];

/** BTF that is malformed, or that cannot say what was asked for. */
export class BtfError extends Error {
  override readonly name = "BtfError";
}
