/**
 * What a kernel's BTF loader accepts. `func` came in 4.20/5.0, `datasec` and
 * `var` in 5.2, a function's linkage in 5.6, `float` in 5.13, `decl_tag` in
 * 5.16, `type_tag` in 5.17, `enum64` in 6.0. Distributions backport them, so the
 * version says little: load `btfProbes` (probes.ts) to find out.
 */
import type { BtfType } from "./type.ts";

/** The parts of BTF that a kernel takes. */
export interface BtfFeatures {
  /** Functions and their prototypes; func_info needs them. */
  readonly func: boolean;
  /** The linkage of functions. */
  readonly funcGlobal: boolean;
  /** Sections and their variables. */
  readonly datasec: boolean;
  readonly float: boolean;
  readonly declTag: boolean;
  readonly typeTag: boolean;
  /** 64-bit enumerations, and the sign of 32-bit ones. */
  readonly enum64: boolean;
}

/** Every feature: object files use them all. */
export const allBtfFeatures: BtfFeatures = {
  func: true,
  funcGlobal: true,
  datasec: true,
  float: true,
  declTag: true,
  typeTag: true,
  enum64: true,
};

/**
 * A type reduced to what a kernel without some features accepts. Id, size and,
 * where the reduced kind has one, name stay, so references to it stay valid.
 */
export function reduceType(type: BtfType, features: BtfFeatures): BtfType {
  switch (type.kind) {
    case "func":
      if (!features.func) return { kind: "typedef", name: type.name, type: type.type };
      return features.funcGlobal || type.linkage === "static" ? type : { ...type, linkage: "static" };
    case "func_proto":
      return features.func ? type : placeholder(4);
    case "var":
      return features.datasec ? type : placeholder(1);
    case "datasec":
      return features.datasec ? type : { kind: "struct", name: "", size: type.size, members: [] };
    case "float":
      return features.float ? type : { kind: "struct", name: type.name, size: type.size, members: [] };
    case "decl_tag":
      return features.declTag ? type : placeholder(1);
    case "type_tag":
      return features.typeTag ? type : { kind: "const", type: type.type };
    case "enum":
      // The sign came with the 64-bit ones; before, every value counted as signed.
      return features.enum64 ? type : { ...type, signed: false };
    case "enum64":
      return features.enum64
        ? type
        : {
            kind: "int",
            name: type.name,
            size: type.size,
            bits: type.size * 8,
            encoding: type.signed ? "signed" : "unsigned",
          };
    default:
      return type;
  }
}

function placeholder(size: number): BtfType {
  return { kind: "int", name: "unknown", size, bits: size * 8, encoding: "unsigned" };
}
