/**
 * Random CO-RE cases: types as a program was compiled with, types of a kernel
 * that were changed from them (renamed, moved, retyped, removed, duplicated),
 * and a program with relocations of every kind between the two.
 */
import { encode, lddw, load, makeInstruction, mov, opcodes, r0, r1, r2, type Instruction } from "../../asm/index.ts";
import {
  Btf,
  BtfBuilder,
  BtfError,
  CoreKind,
  CoreRelocations,
  encodeBtfExt,
  type CoreRecord,
} from "../../btf/index.ts";
import { seededRandom } from "../../sim/index.ts";
import { writeElf, type NewSection } from "../file-writer.ts";
import { SHF_ALLOC, SHF_EXECINSTR, SHF_WRITE, SHT_PROGBITS, STB_GLOBAL, STT_FUNC } from "../format.ts";

/** A C type, before it has a number in BTF. */
type Type =
  | { kind: "void" }
  | { kind: "int"; size: number; encoding: "unsigned" | "signed" | "char" | "bool" }
  | { kind: "float"; size: number }
  | { kind: "ptr" | "const" | "volatile"; to: Type }
  | { kind: "typedef"; name: string; to: Type }
  | { kind: "array"; element: Type; length: number }
  | { kind: "fwd"; name: string; union: boolean }
  | { kind: "function"; parameters: Type[]; returns: Type }
  | { kind: "enum"; name: string; wide: boolean; signed: boolean; values: { name: string; value: bigint }[] }
  | Composite;

interface Composite {
  kind: "struct" | "union";
  name: string;
  members: Member[];
}

interface Member {
  name: string;
  type: Type;
  /** Bits of a bit field, or 0. */
  bits: number;
  /** Bytes left free before the member. */
  gap: number;
}

export interface CoreCase {
  readonly object: Uint8Array;
  readonly target: Uint8Array;
  /** The records, for messages. */
  readonly text: string;
}

const ENCODINGS = ["unsigned", "unsigned", "signed", "char", "bool"] as const;

class Generator {
  readonly #random: () => number;
  #names = 0;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
  }

  below(limit: number): number {
    return this.#random() % limit;
  }

  chance(percent: number): boolean {
    return this.below(100) < percent;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)]!;
  }

  #name(prefix: string): string {
    return `${prefix}${this.#names++}`;
  }

  int(): Type {
    return { kind: "int", size: this.pick([1, 2, 4, 4, 8]), encoding: this.pick(ENCODINGS) };
  }

  /** A type that a member or an array's element may have. */
  #value(depth: number): Type {
    const kind = this.below(depth > 2 ? 5 : 12);
    if (kind < 3) return this.int();
    if (kind === 3) return { kind: "ptr", to: this.#pointed(depth) };
    if (kind === 4) return this.enumeration();
    if (kind < 7) return { kind: "array", element: this.#value(depth + 1), length: 1 + this.below(5) };
    if (kind < 10) return this.composite(this.chance(50) ? this.#name("inner") : "", depth + 1);
    if (kind === 10) return { kind: this.pick(["const", "volatile"]), to: this.#value(depth + 1) };
    if (this.chance(10)) return { kind: "float", size: this.pick([4, 8]) };
    return { kind: "typedef", name: this.#name("t"), to: this.#value(depth + 1) };
  }

  #pointed(depth: number): Type {
    switch (this.below(5)) {
      case 0:
        return { kind: "void" };
      case 1:
        return { kind: "fwd", name: this.#name("f"), union: this.chance(30) };
      case 2:
        return {
          kind: "function",
          parameters: Array.from({ length: this.below(3) }, () => this.#value(3)),
          returns: this.chance(30) ? { kind: "void" } : this.#value(3),
        };
      default:
        return this.#value(depth + 1);
    }
  }

  enumeration(): Type {
    const wide = this.chance(25);
    const signed = this.chance(30);
    const values = Array.from({ length: 1 + this.below(4) }, (_, i) => ({
      name: this.#name("E") + (this.chance(10) ? "___x" : ""),
      value: this.#enumerator(wide, signed) + BigInt(i),
    }));
    return { kind: "enum", name: this.chance(80) ? this.#name("e") : "", wide, signed, values };
  }

  // libbpf takes 32-bit values for signed whatever the type says, so none is beyond 2^31.
  #enumerator(wide: boolean, signed: boolean): bigint {
    const value = BigInt(this.below(wide ? 2 ** 31 : 1000)) << (wide && this.chance(50) ? 20n : 0n);
    return signed && this.chance(50) ? -value : value;
  }

  composite(name: string, depth: number): Composite {
    const kind = this.chance(80) ? "struct" : "union";
    const count = 1 + this.below(depth === 0 ? 6 : 3);
    const members = Array.from({ length: count }, (): Member => {
      const type = this.#value(depth);
      const isNested = type.kind === "struct" || type.kind === "union";
      const anonymous = isNested && type.name === "" && this.chance(60);
      const bits =
        type.kind === "int" && type.encoding !== "bool" && this.chance(20) ? 1 + this.below(type.size * 8) : 0;
      return { name: anonymous ? "" : this.#name(this.chance(5) ? "m___" : "m"), type, bits, gap: this.#gap() };
    });
    const last = members.at(-1)!;
    if (kind === "struct" && this.chance(8)) {
      last.type = { kind: "array", element: this.int(), length: 0 };
      last.bits = 0;
      if (last.name === "") last.name = this.#name("m");
    }
    return { kind, name, members };
  }

  #gap(): number {
    return this.chance(20) ? this.below(20) : this.chance(3) ? 40_000 : 0;
  }

  /** A type that a program may ask about. */
  root(): Type {
    const kind = this.below(10);
    if (kind < 6) return this.composite(this.#name("s") + (this.chance(20) ? "___own" : ""), 0);
    if (kind < 8) return this.chance(20) ? this.#typedef(this.enumeration()) : { ...this.#named(this.enumeration()) };
    return this.#typedef(this.chance(60) ? this.composite("", 0) : this.#pointerOrValue());
  }

  #typedef(to: Type): Type {
    return { kind: "typedef", name: this.#name("t"), to };
  }

  #named(type: Type): Type {
    return "name" in type && type.name === "" ? { ...type, name: this.#name("n") } : type;
  }

  #pointerOrValue(): Type {
    return this.chance(50) ? { kind: "ptr", to: this.#pointed(0) } : this.#value(0);
  }

  /** The type as another kernel may have it. */
  changed(type: Type, rate: number): Type {
    const again = (inner: Type): Type => this.changed(inner, rate);
    if (this.chance(rate)) {
      switch (this.below(8)) {
        case 0:
          return this.#value(2);
        case 1:
          return { kind: "typedef", name: this.#name("t"), to: again(type) };
        case 2:
          return { kind: "const", to: again(type) };
        case 3:
          if ("to" in type && type.kind !== "ptr") return again(type.to);
      }
    }
    switch (type.kind) {
      case "int":
        return this.chance(rate) ? this.int() : type;
      case "ptr":
      case "const":
      case "volatile":
        return { kind: type.kind, to: again(type.to) };
      case "typedef":
        return { ...type, to: again(type.to) };
      case "array":
        return {
          ...type,
          element: again(type.element),
          length: this.chance(rate * 2) ? this.below(6) : type.length,
        };
      case "fwd":
        if (this.chance(rate * 3)) return { kind: type.union ? "union" : "struct", name: type.name, members: [] };
        return { ...type, union: this.chance(rate) ? !type.union : type.union };
      case "function":
        return {
          ...type,
          parameters: this.chance(rate) ? type.parameters.slice(1) : type.parameters.map(again),
          returns: again(type.returns),
        };
      case "enum": {
        let values = type.values.filter(() => !this.chance(rate));
        if (this.chance(rate * 3)) values = values.map((each) => ({ ...each, value: each.value + 1n }));
        if (this.chance(rate)) values.push({ name: this.#name("E"), value: 5n });
        if (this.chance(rate)) values.reverse();
        const wide = type.wide || this.chance(rate);
        return { ...type, name: this.#flavour(type.name, rate), values, wide };
      }
      case "struct":
      case "union":
        return this.#changedComposite(type, rate);
      default:
        return type;
    }
  }

  #flavour(name: string, rate: number): string {
    return name !== "" && this.chance(rate * 2) ? `${name.replace(/___.*/, "")}___${this.#name("v")}` : name;
  }

  #changedComposite(type: Composite, rate: number): Composite {
    let members = type.members
      .filter(() => !this.chance(rate))
      .map((member): Member => {
        const changed = this.changed(member.type, rate);
        const isNested = changed.kind === "struct" || changed.kind === "union";
        const bits =
          changed.kind === "int" && changed.encoding !== "bool" ? Math.min(member.bits, changed.size * 8) : 0;
        const name = this.chance(rate / 2) || (member.name === "" && !isNested) ? this.#name("m") : member.name;
        return { name, type: changed, bits, gap: this.chance(rate * 2) ? this.#gap() : member.gap };
      });
    if (this.chance(rate)) members.unshift({ name: this.#name("m"), type: this.int(), bits: 0, gap: 0 });
    if (this.chance(rate)) members.reverse();
    if (this.chance(rate) && members.length > 1) {
      const from = this.below(members.length);
      const to = from + 1 + this.below(members.length - from);
      const inner: Composite = { kind: this.pick(["struct", "union"]), name: "", members: members.slice(from, to) };
      members = [...members.slice(0, from), { name: "", type: inner, bits: 0, gap: 0 }, ...members.slice(to)];
    }
    const kind = this.chance(rate / 2) ? (type.kind === "struct" ? "union" : "struct") : type.kind;
    return { kind, name: this.#flavour(type.name, rate), members };
  }
}

/** Puts types into BTF. */
class Writer {
  readonly builder = new BtfBuilder();

  add(type: Type): { id: number; size: number } {
    const { builder } = this;
    switch (type.kind) {
      case "void":
        return { id: 0, size: 0 };
      case "int": {
        const { size, encoding } = type;
        return { id: builder.add({ kind: "int", name: `${encoding}${size}`, size, bits: size * 8, encoding }), size };
      }
      case "float":
        return { id: builder.add({ ...type, name: `float${type.size}` }), size: type.size };
      case "ptr":
        return { id: builder.add({ kind: "ptr", type: this.add(type.to).id }), size: 8 };
      case "const":
      case "volatile": {
        const { id, size } = this.add(type.to);
        return { id: builder.add({ kind: type.kind, type: id }), size };
      }
      case "typedef": {
        const { id, size } = this.add(type.to);
        return { id: builder.add({ kind: "typedef", name: type.name, type: id }), size };
      }
      case "array": {
        const index = this.add({ kind: "int", size: 4, encoding: "unsigned" }).id;
        const { id, size } = this.add(type.element);
        return {
          id: builder.add({ kind: "array", element: id, index, length: type.length }),
          size: size * type.length,
        };
      }
      case "fwd":
        return { id: builder.add(type), size: 0 };
      case "function": {
        const parameters = type.parameters.map((each, i) => ({ name: `p${i}`, type: this.add(each).id }));
        return {
          id: builder.add({ kind: "func_proto", returns: this.add(type.returns).id, parameters }),
          size: 0,
        };
      }
      case "enum": {
        const { name, signed, values } = type;
        const size = type.wide ? 8 : 4;
        return { id: builder.add({ kind: type.wide ? "enum64" : "enum", name, size, signed, values }), size };
      }
      case "struct":
      case "union": {
        let bit = 0;
        let end = 0;
        const members = type.members.map((member) => {
          const { id, size } = this.add(member.type);
          if (type.kind === "union") bit = 0;
          else if (member.bits === 0 || member.gap > 0) bit = (Math.ceil(bit / 8) + member.gap) * 8;
          const offset = bit;
          bit += member.bits === 0 ? size * 8 : member.bits;
          end = Math.max(end, bit);
          return { name: member.name, type: id, offset, bits: member.bits };
        });
        const size = Math.ceil(end / 64) * 8;
        return { id: builder.add({ kind: type.kind, name: type.name, size, members }), size };
      }
    }
  }
}

const FIELD_KINDS = [0, 0, 0, 1, 2, 3, 4, 5];
const TYPE_KINDS = [
  CoreKind.TYPE_ID_LOCAL,
  CoreKind.TYPE_ID_TARGET,
  CoreKind.TYPE_EXISTS,
  CoreKind.TYPE_SIZE,
  CoreKind.TYPE_MATCHES,
];
const ENUM_KINDS = [CoreKind.ENUMVAL_EXISTS, CoreKind.ENUMVAL_VALUE];

/** A record before its instruction has a place. */
interface Access {
  readonly record: Omit<CoreRecord, "offset">;
  /** The type that the access leads to, if it is a field's. */
  readonly leaf: Type;
}

function behindModifiers(type: Type): Type {
  return type.kind === "typedef" || type.kind === "const" || type.kind === "volatile" ? behindModifiers(type.to) : type;
}

function randomAccess(g: Generator, id: number, root: Type): Access {
  const whole = behindModifiers(root);
  const isComposite = whole.kind === "struct" || whole.kind === "union";
  if (whole.kind === "enum" && g.chance(75)) {
    const index = g.chance(3) ? whole.values.length : g.below(whole.values.length);
    return { record: { type: id, access: `${index}`, kind: g.pick(ENUM_KINDS) }, leaf: whole };
  }
  if (!isComposite || g.chance(25))
    return { record: { type: id, access: g.chance(2) ? "0:0" : "0", kind: g.pick(TYPE_KINDS) }, leaf: whole };
  const indices = [g.chance(10) ? g.below(3) : 0];
  let leaf: Type = whole;
  let named = false;
  for (;;) {
    if (leaf.kind === "struct" || leaf.kind === "union") {
      if (leaf.members.length === 0 || (named && g.chance(30))) break;
      const index = g.chance(1) ? leaf.members.length : g.below(leaf.members.length);
      indices.push(index);
      const member = leaf.members[index];
      if (member === undefined) break;
      named = member.name !== "";
      leaf = behindModifiers(member.type);
    } else if (leaf.kind === "array" && g.chance(60)) {
      indices.push(g.below(Math.max(1, leaf.length + (g.chance(3) ? 1 : 0)) + (leaf.length === 0 ? 3 : 0)));
      leaf = behindModifiers(leaf.element);
      named = true;
    } else {
      break;
    }
  }
  let kind = g.pick(FIELD_KINDS);
  // libbpf before 1.6 takes every enumeration for signed, and looks at other types' neighbours.
  if (kind === CoreKind.FIELD_SIGNED && leaf.kind !== "int") kind = CoreKind.FIELD_EXISTS;
  return { record: { type: id, access: indices.join(":"), kind }, leaf };
}

/** An instruction that a compiler may have written for a record, mostly with the value that it would have put there. */
function randomInstruction(g: Generator, { record, leaf }: Access, local: Btf): Instruction {
  let value = 0n;
  let size: number | undefined;
  try {
    const { local: own, target, resize } = new CoreRelocations(local, () => local).resolve({ ...record, offset: 0 });
    value = own ?? target ?? 0n;
    size = resize?.local;
  } catch (error) {
    if (!(error instanceof BtfError)) throw error;
  }
  if (g.chance(3)) value += 1n;
  // libbpf before 1.6 compares the sizes of whole arrays, where newer ones compare those of elements.
  const isMemory = record.kind === CoreKind.FIELD_BYTE_OFFSET && leaf.kind !== "array" && g.chance(70);
  if (isMemory && value < 0x8000n) {
    const sizes = { 1: "u8", 2: "u16", 4: "u32", 8: "u64" } as const;
    const width = sizes[(g.chance(5) ? 4 : size) as keyof typeof sizes] ?? g.pick(Object.values(sizes));
    const access = load(width, r1, r2, Number(value));
    const code = g.pick([opcodes.BPF_LDX, opcodes.BPF_LDX, opcodes.BPF_STX, opcodes.BPF_ST]);
    const opcode = (access.opcode & ~7) | code;
    return makeInstruction(opcode, 1, code === opcodes.BPF_ST ? 0 : 2, Number(value), code === opcodes.BPF_ST ? 7 : 0);
  }
  if (BigInt.asIntN(32, value) !== value || g.chance(30)) return lddw(r1, BigInt.asUintN(64, value));
  return { ...mov(r1, Number(value)), opcode: g.pick([0xb7, 0xb4, 0x07, 0x04]) };
}

/** The case of a seed. */
export function coreCase(seed: number): CoreCase {
  const g = new Generator(seed);
  const roots = Array.from({ length: 1 + g.below(3) }, () => g.root());
  const own = new Writer();
  const ids = roots.map((root) => own.add(root).id);
  const local = new Btf(own.builder.encode());

  const kernel = new Writer();
  const rate = g.pick([0, 3, 8, 15]);
  for (const root of roots) {
    // Most kernels have a type once.
    const copies = g.pick([0, 1, 1, 1, 1, 2, 2, 3]);
    for (let i = 0; i < copies; i++) kernel.add(g.changed(root, rate));
  }

  const accesses = Array.from({ length: 1 + g.below(5) }, () => {
    const i = g.below(roots.length);
    return randomAccess(g, ids[i]!, roots[i]!);
  });
  const instructions: Instruction[] = [];
  const records: number[][] = [];
  let offset = 0;
  for (const access of accesses) {
    const instruction = randomInstruction(g, access, local);
    instructions.push(instruction);
    const { type, access: path, kind } = access.record;
    records.push([offset, type, own.builder.string(path), kind]);
    offset += instruction.opcode === opcodes.LDDW ? 16 : 8;
  }
  instructions.push(mov(r0, 0), { ...mov(r0, 0), opcode: 0x95 });
  return {
    object: objectFile(encode(instructions), own.builder, records),
    target: kernel.builder.encode(),
    text: accesses.map(({ record }) => `kind ${record.kind} of type ${record.type}, ${record.access}`).join("; "),
  };
}

function objectFile(code: Uint8Array, builder: BtfBuilder, records: readonly (readonly number[])[]): Uint8Array {
  const section = (name: string, flags: number, data: Uint8Array): NewSection => ({
    name,
    type: SHT_PROGBITS,
    flags,
    align: 8,
    data,
  });
  const program = section("socket", SHF_ALLOC | SHF_EXECINSTR, code);
  const ext = encodeBtfExt([], [], [{ name: builder.string("socket"), records }]);
  return writeElf(
    [
      program,
      section("license", SHF_ALLOC | SHF_WRITE, Buffer.from("GPL\0")),
      section(".BTF", 0, builder.encode()),
      section(".BTF.ext", 0, ext),
    ],
    [{ name: "program", binding: STB_GLOBAL, type: STT_FUNC, section: program, value: 0, size: code.length }],
  );
}
