/** Operands as text: registers, numbers, places in memory. */
import * as op from "../opcode.ts";
import type { Scanner } from "./scanner.ts";

/** `Scanner.register` adds this to the number of a `w` register. */
export const W = 16;

/** A register, `r` or `w`. */
export function anyRegister(scanner: Scanner): number {
  const register = scanner.register();
  if (register < 0) throw scanner.expected("a register");
  return register;
}

/** The number of a register of the given width. */
export function registerOf(scanner: Scanner, wide: boolean): number {
  scanner.skip();
  const start = scanner.position;
  const register = scanner.register();
  if (register < 0 || register < W !== wide) {
    throw scanner.expected(wide ? "a 64-bit register (r0 to r10)" : "a 32-bit register (w0 to w10)", start);
  }
  return wide ? register : register - W;
}

/** The number of a register that holds `bits`: `r`, or for up to 32 bits also `w`. */
export function registerFor(scanner: Scanner, bits: number): number {
  scanner.skip();
  const start = scanner.position;
  const register = scanner.register();
  if (register < 0 || (register >= W && bits === 64)) {
    throw scanner.expected(bits === 64 ? "a 64-bit register (r0 to r10)" : "a register", start);
  }
  return register & 15;
}

/**
 * A 32-bit immediate. 2^31 to 2^32-1 stand for the negative numbers with the same bits.
 * Where the machine sign-extends the immediate (`extended`), only the verifier's log
 * (`logged`) writes so; elsewhere it would mean another number.
 */
export function immediate(scanner: Scanner, extended: boolean, logged: boolean): number {
  scanner.skip();
  const start = scanner.position;
  const value = scanner.number("a register or a number");
  const field = value | 0;
  if (field === value || (value >>> 0 === value && (!extended || logged))) return field;
  throw value >>> 0 === value
    ? scanner.error(
        `${scanner.text.slice(start, scanner.position)} would be sign-extended to 64 bits: ` +
          "expected -0x80000000 to 0x7fffffff, or a w register",
        start,
      )
    : scanner.error(`${scanner.text.slice(start, scanner.position)} does not fit: expected a number of 32 bits`, start);
}

/** `(u32 *)`: the number of bits, negative for signed types. The opening parenthesis is optional. */
export function pointerType(scanner: Scanner): number {
  scanner.expect(40, '"("');
  scanner.skip();
  const start = scanner.position;
  const bits = typeBits(scanner.word());
  if (bits === 0) throw scanner.expected("a type: u8, u16, u32, u64, s8, s16 or s32", start);
  scanner.expect(42, '"*"');
  scanner.expect(41, '")"');
  return bits;
}

function typeBits(name: string): number {
  switch (name) {
    case "u8":
      return 8;
    case "u16":
      return 16;
    case "u32":
      return 32;
    case "u64":
      return 64;
    case "s8":
      return -8;
    case "s16":
      return -16;
    case "s32":
      return -32;
    default:
      return 0;
  }
}

/** The size field for this many bits. */
export function sizeField(bits: number): number {
  switch (bits) {
    case 8:
      return op.BPF_B;
    case 16:
      return op.BPF_H;
    case 32:
      return op.BPF_W;
    default:
      return op.BPF_DW;
  }
}

/** A place in memory, a register and an offset, without parentheses. */
export interface Address {
  register: number;
  offset: number;
}

/** `r6 + 4`, written to `result` to avoid an allocation. */
export function address(scanner: Scanner, result: Address): void {
  result.register = registerOf(scanner, true);
  const sign = scanner.skip();
  if (sign !== 43 && sign !== 45) throw scanner.expected('"+" or "-" and an offset');
  scanner.position++;
  scanner.skip();
  const start = scanner.position;
  const value = scanner.number("an offset");
  const offset = sign === 45 ? -value : value;
  result.offset = (offset << 16) >> 16;
  if (result.offset !== offset) throw scanner.error(`offset ${offset} does not fit: expected -32768 to 32767`, start);
}

/** `(r6 + 4)`. */
export function parenthesizedAddress(scanner: Scanner, result: Address): void {
  scanner.expect(40, '"("');
  address(scanner, result);
  scanner.expect(41, '")"');
}

/** A whole number from 0 to `max`. */
export function unsigned(scanner: Scanner, what: string, max: number): number {
  scanner.skip();
  const start = scanner.position;
  const value = scanner.number(what);
  if (value < 0 || value > max) throw scanner.error(`expected ${what} from 0 to ${max}`, start);
  return value;
}
