/**
 * What a kernel's BTF loader knows. BTF came in pieces: `func` in 4.20/5.0,
 * `datasec` and `var` in 5.2, a function's linkage in 5.6, `float` in 5.13,
 * `decl_tag` in 5.16, `type_tag` in 5.17, `enum64` in 6.0. Distributions port
 * them back, so a version says little: load `btfProbes` (probes.ts) and see.
 */
import type { BtfType } from "./type.ts";

export interface BtfFeatures {
  /** Functions and their prototypes; without them there is no func_info either. */
  readonly func: boolean;
  /** Functions may say that they are global. */
  readonly funcGlobal: boolean;
  /** Sections and their variables. */
  readonly datasec: boolean;
  readonly float: boolean;
  readonly declTag: boolean;
  readonly typeTag: boolean;
  /** Enumerations of 64 bits, and signs of the others. */
  readonly enum64: boolean;
}

/** Everything; what object files are written with. */
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
 * A type in the form that a kernel without some features takes. The id stays,
 * and so do size and, as far as there is one, name: what refers to the type
 * still makes sense.
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
      // The sign came together with the wide ones; until then every value was taken for signed.
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
