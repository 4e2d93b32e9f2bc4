import { BtfBuilder } from "../builder.ts";
import type { BtfType } from "../type.ts";

/** Types of every kind, in forms that the kernel takes; the first is type 1, and each names only earlier ones. */
export const everyKind: readonly BtfType[] = [
  /* 1 */ { kind: "int", name: "int", size: 4, bits: 32, encoding: "signed" },
  /* 2 */ { kind: "int", name: "unsigned char", size: 1, bits: 8, encoding: "unsigned" },
  /* 3 */ { kind: "int", name: "_Bool", size: 1, bits: 8, encoding: "bool" },
  /* 4 */ { kind: "ptr", type: 1 },
  /* 5 */ { kind: "ptr", type: 0 },
  /* 6 */ { kind: "array", element: 1, index: 1, length: 7 },
  /* 7 */ { kind: "array", element: 2, index: 1, length: 4 },
  /* 8 */ {
    kind: "union",
    name: "",
    size: 4,
    members: [
      { name: "word", type: 1, offset: 0, bits: 0 },
      { name: "bytes", type: 7, offset: 0, bits: 0 },
    ],
  },
  /* 9 */ {
    kind: "struct",
    name: "point",
    size: 12,
    members: [
      { name: "x", type: 1, offset: 0, bits: 0 },
      { name: "y", type: 1, offset: 32, bits: 0 },
      { name: "", type: 8, offset: 64, bits: 0 },
    ],
  },
  /* 10 */ {
    kind: "struct",
    name: "flags",
    size: 4,
    members: [
      { name: "low", type: 1, offset: 0, bits: 3 },
      { name: "high", type: 1, offset: 3, bits: 29 },
    ],
  },
  /* 11 */ {
    kind: "enum",
    name: "colour",
    size: 4,
    signed: true,
    values: [
      { name: "RED", value: 0n },
      { name: "NONE", value: -1n },
    ],
  },
  /* 12 */ { kind: "fwd", name: "sock", union: false },
  /* 13 */ { kind: "fwd", name: "either", union: true },
  /* 14 */ { kind: "typedef", name: "point_t", type: 9 },
  /* 15 */ { kind: "const", type: 14 },
  /* 16 */ { kind: "volatile", type: 1 },
  /* 17 */ { kind: "ptr", type: 15 },
  /* 18 */ { kind: "restrict", type: 17 },
  /* 19 */ {
    kind: "func_proto",
    returns: 1,
    parameters: [
      { name: "ctx", type: 5 },
      { name: "p", type: 17 },
    ],
  },
  /* 20 */ { kind: "func", name: "connect4", type: 19, linkage: "global" },
  /* 21 */ { kind: "func", name: "helper", type: 19, linkage: "static" },
  /* 22 */ { kind: "var", name: "counter", type: 1, linkage: "global" },
  /* 23 */ { kind: "datasec", name: ".data", size: 8, variables: [{ type: 22, offset: 4, size: 4 }] },
  /* 24 */ { kind: "float", name: "double", size: 8 },
  /* 25 */ { kind: "decl_tag", name: "note", type: 9, component: 1 },
  /* 26 */ { kind: "decl_tag", name: "whole", type: 20, component: -1 },
  /* 27 */ { kind: "type_tag", name: "user", type: 1 },
  /* 28 */ { kind: "ptr", type: 27 },
  /* 29 */ {
    kind: "enum64",
    name: "wide",
    size: 8,
    signed: false,
    values: [{ name: "BIG", value: 0xffff_ffff_0000_0001n }],
  },
  /* 30 */ {
    kind: "enum64",
    name: "deep",
    size: 8,
    signed: true,
    values: [{ name: "LOW", value: -0x8000_0000_0000_0000n }],
  },
  /* 31 */ { kind: "ptr", type: 19 },
  /* 32 */ { kind: "ptr", type: 6 },
];

/** A builder that holds them, under these ids. */
export function everyKindBuilder(): BtfBuilder {
  const builder = new BtfBuilder();
  for (const type of everyKind) builder.add(type);
  return builder;
}
