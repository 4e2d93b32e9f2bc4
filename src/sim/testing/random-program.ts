/**
 * Random programs that every verifier accepts by construction: registers are set before use, memory accesses
 * have constant offsets within bounds, loops end, all code is reachable, and pointers are never used as
 * numbers.
 *
 * The programs are XDP programs. A program gets a packet of `PACKET_SIZE` bytes, computes with it, and finally
 * writes its registers and stack into the packet, where the simulator and the kernel are compared.
 */
import {
  add,
  and,
  arsh,
  atomicAdd,
  atomicAnd,
  atomicOr,
  atomicXor,
  be16,
  be32,
  be64,
  bswap16,
  bswap32,
  bswap64,
  callFunction,
  compareExchange,
  div,
  exchange,
  exit,
  gotol,
  type Item,
  jeq,
  jge,
  jgt,
  jle,
  jlt,
  jne,
  jset,
  jsge,
  jsgt,
  jsle,
  jslt,
  jump,
  label,
  lddw,
  le16,
  le32,
  le64,
  load,
  loadAcquire,
  lsh,
  mayGoto,
  mod,
  mov,
  movsx16,
  movsx32,
  movsx8,
  mul,
  neg,
  or,
  program,
  type Program,
  r0,
  r1,
  r10,
  r2,
  r3,
  r9,
  type Register,
  type Register32,
  registers,
  registers32,
  rsh,
  sdiv,
  smod,
  store,
  storeRelease,
  sub,
  w0,
  xor,
} from "../../asm/index.ts";
import { AttachType, ProgramType } from "../../types/index.ts";
import { seededRandom } from "../random.ts";

/** Bytes of the packet. */
export const PACKET_SIZE = 256;
/** Bytes of stack that a program uses, below the frame pointer. */
const STACK_SIZE = 64;

/** Instructions to use beyond those of Linux 5.10. */
export interface InstructionChoice {
  /** Signed division, sign extension, bswap, gotol: Linux 6.6. */
  readonly v4: boolean;
  /** Atomic operations that fetch, exchange or compare: Linux 5.12. */
  readonly fetch: boolean;
  /** Linux 6.9. */
  readonly mayGoto: boolean;
  /** Load-acquire and store-release: Linux 6.15. */
  readonly acquireRelease: boolean;
}

/** The program and packet of a seed. */
export function randomProgram(seed: number, choice: InstructionChoice): { program: Program; packet: Uint8Array } {
  const random = new Random(seed);
  const writer = new ProgramWriter(random, choice);
  return {
    program: program({
      name: `fuzz_${seed}`,
      type: ProgramType.XDP,
      expectedAttachType: AttachType.XDP,
      section: "xdp",
      items: writer.program(),
    }),
    packet: Uint8Array.from({ length: PACKET_SIZE }, () => random.below(256)),
  };
}

class Random {
  readonly #next: () => number;

  constructor(seed: number) {
    this.#next = seededRandom(seed);
  }

  below(limit: number): number {
    return this.#next() % limit;
  }

  chance(percent: number): boolean {
    return this.below(100) < percent;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)]!;
  }

  /** From the whole range, small numbers, and the edges. */
  immediate(): number {
    switch (this.below(4)) {
      case 0:
        return this.#next() | 0;
      case 1:
        return this.pick([0, 1, -1, 0x7fff_ffff, -0x8000_0000, 0xff, 0xffff, 31, 32, 63]);
      default:
        return this.below(256) - 128;
    }
  }

  wide(): bigint {
    const word = BigInt(this.#next());
    switch (this.below(4)) {
      case 0:
        return (word << 32n) | BigInt(this.#next());
      case 1:
        return this.pick([
          0n,
          1n,
          0x7fff_ffff_ffff_ffffn,
          0x8000_0000_0000_0000n,
          0xffff_ffff_ffff_ffffn,
          0x8000_0000n,
          0xffff_ffffn,
          0x1_0000_0000n,
        ]);
      case 2:
        return word;
      default:
        return BigInt.asUintN(64, word << BigInt(this.below(40)));
    }
  }
}

const arithmetic = [add, sub, mul, and, or, xor, mov];
const divisions = [div, mod];
const signedDivisions = [sdiv, smod];
const shifts = [lsh, rsh, arsh];
const conditions = [jeq, jne, jgt, jge, jlt, jle, jset, jsgt, jsge, jslt, jsle];
const byteOrders = [be16, be32, be64, le16, le32, le64];
const swaps = [bswap16, bswap32, bswap64];
const sizes = [
  ["u8", 1],
  ["u16", 2],
  ["u32", 4],
  ["u64", 8],
] as const;
const signedSizes = [
  ["i8", 1],
  ["i16", 2],
  ["i32", 4],
] as const;
const atomicSizes = [
  ["u32", 4],
  ["u64", 8],
] as const;
const atomics = [atomicAdd, atomicAnd, atomicOr, atomicXor];

/** Size limits, so that the verifier does not have to walk too many paths. */
const STATEMENTS = 24;
const SUBPROGRAMS = 2;

class ProgramWriter {
  readonly #random: Random;
  readonly #choice: InstructionChoice;
  #labels = 0;
  /** r9 holds the packet's address in the main function. */
  #main = true;
  /** Registers that hold numbers; all are always set. */
  #numbers: readonly number[] = [0, 1, 2, 3, 4, 5, 6, 7, 8];
  #subprograms: string[] = [];

  constructor(random: Random, choice: InstructionChoice) {
    this.#random = random;
    this.#choice = choice;
  }

  program(): Item[] {
    this.#subprograms = Array.from({ length: this.#random.below(SUBPROGRAMS + 1) }, (_, i) => `subprogram${i}`);
    const body = [
      ...this.#numbers.map((number) => lddw(registers[number]!, this.#random.wide())),
      ...this.#fillStack(),
      ...this.#block(STATEMENTS, 2),
    ];
    const main = [
      load("u32", r9, r1, 0),
      load("u32", r2, r1, 4),
      mov(r3, r9),
      add(r3, PACKET_SIZE),
      jgt(r3, r2, "too short"),
      ...body,
      ...this.#numbers.map((number) => store("u64", r9, 8 * number, registers[number]!)),
      ...Array.from({ length: STACK_SIZE / 8 }, (_, i) => [
        load("u64", r0, r10, -8 * (i + 1)),
        store("u64", r9, 72 + 8 * i, r0),
      ]).flat(),
      mov(w0, registers32[this.#random.below(9)]!),
      exit(),
      label("too short"),
      mov(r0, 0),
      exit(),
    ];
    this.#main = false;
    // Only called subprograms, since the verifier refuses unreachable code.
    const called = this.#subprograms.filter((name) =>
      main.some((item) => "reference" in item && item.reference?.kind === "label" && item.reference.name === name),
    );
    const subprograms = called.flatMap((name) => {
      this.#numbers = [0, 1, 2, 3, 4, 5];
      return [label(name), ...this.#fillStack(), lddw(r0, this.#random.wide()), ...this.#block(8, 1), exit()];
    });
    return [...main, ...subprograms];
  }

  #fillStack(): Item[] {
    return Array.from({ length: STACK_SIZE / 8 }, (_, i) => store("u64", r10, -8 * (i + 1), this.#random.immediate()));
  }

  #block(statements: number, depth: number): Item[] {
    const items: Item[] = [];
    for (let left = 1 + this.#random.below(statements); left > 0; left--) items.push(...this.#statement(depth));
    return items;
  }

  #statement(depth: number): Item[] {
    const kind = this.#random.below(100);
    if (depth > 0 && kind < 12) return this.#branch(depth);
    if (depth > 0 && kind < 15) return this.#loop();
    if (this.#main && this.#subprograms.length > 0 && kind < 20) return this.#call();
    if (kind < 40) return this.#memory();
    return [this.#computation()];
  }

  #branch(depth: number): Item[] {
    const [otherwise, end] = [`l${this.#labels++}`, `l${this.#labels++}`];
    if (this.#choice.mayGoto && this.#random.chance(5))
      return [mayGoto(otherwise), ...this.#block(4, depth - 1), label(otherwise)];
    const test = this.#condition(otherwise);
    if (this.#random.chance(50)) return [test, ...this.#block(4, depth - 1), label(otherwise)];
    const go = this.#choice.v4 && this.#random.chance(50) ? gotol(end) : jump(end);
    return [test, ...this.#block(4, depth - 1), go, label(otherwise), ...this.#block(4, depth - 1), label(end)];
  }

  #condition(target: string): Item {
    const build = this.#random.pick(conditions);
    const left = this.#random.pick(this.#numbers);
    const right = this.#random.pick(this.#numbers);
    const immediate = this.#random.immediate();
    if (this.#random.chance(50))
      return build(registers[left]!, this.#random.chance(50) ? registers[right]! : immediate, target);
    return build(registers32[left]!, this.#random.chance(50) ? registers32[right]! : immediate, target);
  }

  /** A few iterations, counted in a stack slot that nothing else writes. */
  #loop(): Item[] {
    const again = `l${this.#labels++}`;
    const counter = -(STACK_SIZE + 8);
    const scratch = registers[this.#random.pick(this.#numbers)]!;
    return [
      store("u64", r10, counter, 2 + this.#random.below(3)),
      label(again),
      ...this.#block(4, 0),
      load("u64", scratch, r10, counter),
      sub(scratch, 1),
      store("u64", r10, counter, scratch),
      jne(scratch, 0, again),
    ];
  }

  /** Sets r1 to r5 afterwards, since a call clobbers them. */
  #call(): Item[] {
    return [
      callFunction(this.#random.pick(this.#subprograms)),
      ...[1, 2, 3, 4, 5].map((number) => lddw(registers[number]!, this.#random.wide())),
    ];
  }

  #computation(): Item {
    const random = this.#random;
    const wide = random.chance(60);
    const number = random.pick(this.#numbers);
    const other = random.pick(this.#numbers);
    const [dst, src] = wide ? [registers[number]!, registers[other]!] : [registers32[number]!, registers32[other]!];
    switch (random.below(8)) {
      case 0: {
        const build = random.pick(this.#choice.v4 ? [...divisions, ...signedDivisions] : divisions);
        return apply(build, dst, random.chance(70) ? src : random.immediate() || 7);
      }
      case 1:
        return apply(random.pick(shifts), dst, random.chance(50) ? src : random.below(wide ? 64 : 32));
      case 2:
        return this.#unary(number, other, wide);
      case 3:
        return lddw(registers[number]!, random.wide());
      default:
        return apply(random.pick(arithmetic), dst, random.chance(60) ? src : random.immediate());
    }
  }

  #unary(number: number, other: number, wide: boolean): Item {
    const random = this.#random;
    const dst = registers[number]!;
    if (!this.#choice.v4 || random.chance(40))
      return random.chance(30) ? neg(wide ? dst : registers32[number]!) : random.pick(byteOrders)(dst);
    if (random.chance(30)) return random.pick(swaps)(dst);
    if (!wide) return random.pick([movsx8, movsx16])(registers32[number]!, registers32[other]!);
    return random.pick([movsx8, movsx16, movsx32])(dst, registers[other]!);
  }

  #memory(): Item[] {
    const random = this.#random;
    const register = registers[random.pick(this.#numbers)]!;
    const packet = this.#main && random.chance(50);
    const base = packet ? r9 : r10;
    const kind = random.below(packet ? 6 : 10);
    const choices = kind < 3 && this.#choice.v4 && random.chance(40) ? signedSizes : kind < 6 ? sizes : atomicSizes;
    const [type, size] = random.pick<readonly ["u8" | "u16" | "u32" | "u64" | "i8" | "i16" | "i32", number]>(choices);
    // Packet accesses may be unaligned; stack accesses may not.
    const offset = packet ? random.below(PACKET_SIZE - size) : size * random.below(STACK_SIZE / size) - STACK_SIZE;
    if (kind < 3) return [load(type, register, base, offset)];
    if (type === "i8" || type === "i16" || type === "i32")
      throw new RangeError(`cannot store as ${type}: stores are unsigned`);
    if (kind < 5) return [store(type, base, offset, register)];
    if (kind === 5)
      return [store(type, base, offset, size === 8 || size === 4 ? random.immediate() : random.below(128))];
    return this.#atomic(type === "u64" ? "u64" : "u32", offset, register);
  }

  #atomic(type: "u32" | "u64", offset: number, register: Register): Item[] {
    const random = this.#random;
    if (this.#choice.acquireRelease && random.chance(25)) {
      return [random.pick([loadAcquire(type, register, r10, offset), storeRelease(type, r10, offset, register)])];
    }
    // Before 5.12, addition is the only atomic operation.
    if (!this.#choice.fetch) return [atomicAdd(type, r10, offset, register)];
    if (!this.#main || random.chance(30)) return [random.pick(atomics)(type, r10, offset, register)];
    return [...this.#unknownSlot(offset), ...this.#fetching(type, offset, register)];
  }

  /**
   * Puts a number into a stack slot that the verifier cannot know. Kernels without commit 179ee84a8911 ("bpf:
   * Fix incorrect pruning due to atomic fetch precision tracking", 2026; missing in 6.18) assume that a
   * fetching operation reads the same value from a known slot on every path, and remove branches that are in
   * fact taken.
   */
  #unknownSlot(offset: number): Item[] {
    const scratch = registers[this.#random.pick(this.#numbers)]!;
    return [load("u64", scratch, r9, this.#random.below(PACKET_SIZE - 8)), store("u64", r10, offset & ~7, scratch)];
  }

  #fetching(type: "u32" | "u64", offset: number, register: Register): Item[] {
    const random = this.#random;
    switch (random.below(3)) {
      case 0:
        return [exchange(type, r10, offset, register)];
      case 1:
        // Succeeds half of the time. RFC 9669, section 5.3: r0 is zero-extended. Linux 6.18 on x86 leaves its
        // upper half unchanged if the exchange succeeds and the verifier has pruned what follows, so that half
        // is not compared.
        return [
          ...(random.chance(50) ? [load(type, r0, r10, offset)] : []),
          compareExchange(type, r10, offset, register),
          ...(type === "u32" ? [mov(w0, w0)] : []),
        ];
      default:
        return [random.pick(atomics)(type, r10, offset, register, { fetch: true })];
    }
  }
}

/** Calls a builder whose operands have one width, which the types cannot express. */
function apply(build: typeof add, dst: Register | Register32, operand: Register | Register32 | number): Item {
  return dst.bits === 64 ? build(dst, operand as Register | number) : build(dst, operand as Register32 | number);
}
