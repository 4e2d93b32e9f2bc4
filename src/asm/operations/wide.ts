/** 64-bit immediates: numbers, maps, addresses (RFC 9669, section 5.4). Each takes two slots. */
import { AsmError } from "../error.ts";
import type { Instruction, Reference } from "../instruction.ts";
import { makeInstruction } from "../make.ts";
import * as op from "../opcode.ts";
import type { Register } from "../register.ts";
import { immediateField } from "./operand.ts";

/**
 * A map: its name, an object with its name (such as its definition), its file
 * descriptor, or its index in the program's `fd_array`.
 */
export type MapOperand = string | { readonly name: string } | { readonly fd: number } | { readonly index: number };

const lddwOf = (dst: Register, src: number, low: number, high: number, reference?: Reference): Instruction =>
  makeInstruction(op.LDDW, dst.number, src, 0, low, high, reference);

/**
 * `dst = value`, all 64 bits.
 * @throws {AsmError} for a value outside -2^63 to 2^64-1, and for a `number` beyond 2^53, whose last digits are lost:
 *   write a bigint.
 *
 * @example
 * ```ts
 * import { lddw, r1 } from "tsbpf/asm";
 *
 * lddw(r1, 0x1122334455667788n); // r1 = 0x1122334455667788 ll
 * ```
 */
export function lddw(dst: Register, value: number | bigint): Instruction {
  if (typeof value === "number") {
    if (!Number.isSafeInteger(value))
      throw new AsmError(`lddw: ${value} is not an exact whole number: beyond 2^53, write a bigint`);
    return lddwOf(dst, 0, value | 0, Math.floor(value / 0x1_0000_0000) | 0);
  }
  if (value < -0x8000_0000_0000_0000n || value > 0xffff_ffff_ffff_ffffn)
    throw new AsmError(`lddw: ${value} does not fit 64 bits`);
  return lddwOf(dst, 0, Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n)));
}

/**
 * `dst = ` the map, as an argument of helpers.
 *
 * @example
 * ```ts
 * import { loadMap, r1 } from "tsbpf/asm";
 *
 * loadMap(r1, "services"); // r1 = map[services] ll
 * ```
 */
export function loadMap(dst: Register, map: MapOperand): Instruction {
  if (typeof map === "object" && "fd" in map)
    return lddwOf(dst, op.BPF_PSEUDO_MAP_FD, immediateField(map.fd, 64, "loadMap"), 0);
  if (typeof map === "object" && "index" in map)
    return lddwOf(dst, op.BPF_PSEUDO_MAP_IDX, immediateField(map.index, 64, "loadMap"), 0);
  const name = typeof map === "string" ? map : map.name;
  return lddwOf(dst, op.BPF_PSEUDO_MAP_FD, 0, 0, { kind: "map", name });
}

/**
 * `dst = ` the address of byte `offset` of an array map's first value (Linux 5.2).
 *
 * @example
 * ```ts
 * import { loadMapValue, r1 } from "tsbpf/asm";
 *
 * loadMapValue(r1, "counters", 8); // r1 = map[counters][0]+8 ll
 * ```
 */
export function loadMapValue(dst: Register, map: MapOperand, offset = 0): Instruction {
  const high = immediateField(offset, 32, "loadMapValue");
  if (typeof map === "object" && "fd" in map)
    return lddwOf(dst, op.BPF_PSEUDO_MAP_VALUE, immediateField(map.fd, 64, "loadMapValue"), high);
  if (typeof map === "object" && "index" in map) {
    return lddwOf(dst, op.BPF_PSEUDO_MAP_IDX_VALUE, immediateField(map.index, 64, "loadMapValue"), high);
  }
  const name = typeof map === "string" ? map : map.name;
  return lddwOf(dst, op.BPF_PSEUDO_MAP_VALUE, 0, high, { kind: "map-value", name, offset });
}

/**
 * `dst = ` the address of a subprogram, for helpers with callbacks: a label, or the number of slots from this
 * instruction's second slot.
 *
 * @example
 * ```ts
 * import { loadFunction, r2 } from "tsbpf/asm";
 *
 * loadFunction(r2, "callback"); // r2 = subprog[callback] ll
 * ```
 */
export function loadFunction(dst: Register, target: string | number): Instruction {
  return typeof target === "string"
    ? lddwOf(dst, op.BPF_PSEUDO_FUNC, 0, 0, { kind: "function", name: target })
    : lddwOf(dst, op.BPF_PSEUDO_FUNC, immediateField(target, 64, "loadFunction"), 0);
}

/**
 * `dst = ` the address of a kernel variable, by BTF id. `moduleBtf` is the file descriptor of the module's BTF; 0 is
 * the kernel's own.
 *
 * @example
 * ```ts
 * import { loadKernelVariable, r1 } from "tsbpf/asm";
 *
 * loadKernelVariable(r1, 12345); // r1 = btf[id:12345] ll
 * ```
 */
export function loadKernelVariable(dst: Register, id: number, moduleBtf = 0): Instruction {
  return lddwOf(
    dst,
    op.BPF_PSEUDO_BTF_ID,
    immediateField(id, 64, "loadKernelVariable"),
    immediateField(moduleBtf, 64, "loadKernelVariable"),
  );
}
