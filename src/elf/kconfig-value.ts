/** A line of the kernel's configuration as the bytes of a C variable (libbpf's `set_kcfg_value_*`). */
import { resolveType, sizeOf, type Btf } from "../btf/index.ts";

/** The C types of variables in section `.kconfig`. */
type Kind = "bool" | "tristate" | "char" | "int" | "text";

function kindOf(btf: Btf, id: number): Kind | undefined {
  const type = resolveType(btf, id);
  switch (type.kind) {
    case "int":
      if (type.encoding === "bool") return type.size === 1 ? "bool" : undefined;
      return type.size === 1 ? "char" : [2, 4, 8].includes(type.size) ? "int" : undefined;
    case "enum":
    case "enum64":
      return type.name === "libbpf_tristate" && type.size === 4 ? "tristate" : undefined;
    case "array":
      return type.length > 0 && kindOf(btf, type.element) === "char" ? "text" : undefined;
    default:
      return undefined;
  }
}

/**
 * The bytes of a variable for a value as `.config` writes it: `y`, `m`, `n`, a
 * number in decimal or hexadecimal, or a text in quotation marks, which is cut
 * to the size of the array.
 * @throws {RangeError} where the variable's type cannot hold the value; the message says so of "the variable"
 */
export function kconfigBytes(btf: Btf, id: number, value: string): Uint8Array {
  const kind = kindOf(btf, id);
  if (kind === undefined)
    throw new RangeError("the variable is neither bool, enum libbpf_tristate, char, an integer nor an array of char");
  const size = sizeOf(btf, id);
  const bytes = new Uint8Array(size);
  const refused = (what: string) =>
    new RangeError(`the variable is ${kind === "text" ? "an array of char" : kind}, not ${what}`);
  if (value.startsWith('"')) {
    if (kind !== "text") throw refused(`a text (${value})`);
    if (value.length < 2 || !value.endsWith('"')) throw new RangeError(`the variable has the malformed value ${value}`);
    bytes.set(Buffer.from(value.slice(1, -1), "latin1").subarray(0, size - 1));
    return bytes;
  }
  if (value === "y" || value === "m" || value === "n") {
    if (kind === "char") bytes[0] = value.charCodeAt(0);
    else if (kind === "tristate") bytes[0] = { n: 0, y: 1, m: 2 }[value];
    else if (kind === "bool" && value !== "m") bytes[0] = value === "y" ? 1 : 0;
    else throw refused(value === "m" ? "a tristate (m)" : `bool or tristate (${value})`);
    return bytes;
  }
  if (kind !== "int" && kind !== "char") throw refused(`a number (${value})`);
  if (!/^-?(0x[0-9a-f]+|\d+)$/i.test(value)) throw new RangeError(`the variable has the malformed value ${value}`);
  const digits = value.replace("-", "").replace(/^0(?=\d)/, "0o");
  if (/^0o.*[89]/.test(digits)) throw new RangeError(`the variable has the malformed value ${value}`);
  const number = value.startsWith("-") ? -BigInt(digits) : BigInt(digits);
  const type = resolveType(btf, id);
  const bits = size * 8;
  const isSigned = type.kind === "int" && type.encoding === "signed";
  const fits = size === 8 || (isSigned ? BigInt.asIntN(bits, number) : BigInt.asUintN(bits, number)) === number;
  if (!fits) throw new RangeError(`the variable has ${bits} bits, too few for ${value}`);
  const all = new DataView(new ArrayBuffer(8));
  all.setBigUint64(0, BigInt.asUintN(64, number), true);
  bytes.set(new Uint8Array(all.buffer, 0, size));
  return bytes;
}
