/** One BTF type as a plain value. Types name each other by id; id 0 is `void`. */
import type { BtfLinkage } from "./format.ts";

/** A member of a struct or union. */
export interface BtfMember {
  /** Empty for an anonymous struct or union. */
  readonly name: string;
  readonly type: number;
  /** Bits from the start of the struct. */
  readonly offset: number;
  /** Bits of a bit field; 0 for an ordinary member. */
  readonly bits: number;
}

/** A parameter of a function. */
export interface BtfParameter {
  readonly name: string;
  /** 0 for the last one means `...`. */
  readonly type: number;
}

/** A whole number. */
export interface BtfInt {
  readonly kind: "int";
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  readonly bits: number;
  readonly encoding: "unsigned" | "signed" | "char" | "bool";
}

/** A struct or union. */
export interface BtfComposite {
  readonly kind: "struct" | "union";
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  readonly members: readonly BtfMember[];
}

/** An enum. */
export interface BtfEnum {
  /** `enum64` holds values of 64 bits, `enum` of 32. */
  readonly kind: "enum" | "enum64";
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  readonly signed: boolean;
  readonly values: readonly { readonly name: string; readonly value: bigint }[];
}

/** A type, decoded. */
export type BtfType =
  | { readonly kind: "void" }
  | BtfInt
  | { readonly kind: "array"; readonly element: number; readonly index: number; readonly length: number }
  | BtfComposite
  | BtfEnum
  /** A forward declaration of a struct or union. */
  | { readonly kind: "fwd"; readonly name: string; readonly union: boolean }
  | { readonly kind: "ptr" | "volatile" | "const" | "restrict"; readonly type: number }
  | { readonly kind: "typedef" | "type_tag"; readonly name: string; readonly type: number }
  /** `type` is a `func_proto`. */
  | { readonly kind: "func"; readonly name: string; readonly type: number; readonly linkage: BtfLinkage }
  | { readonly kind: "func_proto"; readonly returns: number; readonly parameters: readonly BtfParameter[] }
  | { readonly kind: "var"; readonly name: string; readonly type: number; readonly linkage: BtfLinkage }
  /** A section of variables; offsets and sizes in bytes. */
  | {
      readonly kind: "datasec";
      readonly name: string;
      readonly size: number;
      readonly variables: readonly { readonly type: number; readonly offset: number; readonly size: number }[];
    }
  | { readonly kind: "float"; readonly name: string; readonly size: number }
  /** A note on a declaration, or on its member or parameter number `component`; -1 is the declaration itself. */
  | { readonly kind: "decl_tag"; readonly name: string; readonly type: number; readonly component: number };
