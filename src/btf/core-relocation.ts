/**
 * CO-RE ("compile once, run everywhere"): finds the fields, types and
 * enumerators that a program was compiled with in the types of another kernel,
 * by name. Records are `struct bpf_core_relo` (`linux/bpf.h`,
 * Documentation/bpf/llvm_reloc.rst); the rules are those of libbpf's
 * `bpf_core_calc_relo_insn` (relo_core.c).
 */
import type { Btf } from "./btf.ts";
import { areCompatible, fieldsAreCompatible, kindsAreCompatible, matches } from "./compatible.ts";
import type { CoreRecord } from "./ext.ts";
import { essentialName } from "./flavour.ts";
import { BtfError } from "./format.ts";
import { MAX_DEPTH, resolveType, sizeOf, skipModifiers } from "./resolve.ts";
import type { BtfMember, BtfType } from "./type.ts";

/** The question of a record: `enum bpf_core_relo_kind`. */
export const CoreKind = {
  FIELD_BYTE_OFFSET: 0,
  FIELD_BYTE_SIZE: 1,
  FIELD_EXISTS: 2,
  FIELD_SIGNED: 3,
  FIELD_LSHIFT_U64: 4,
  FIELD_RSHIFT_U64: 5,
  TYPE_ID_LOCAL: 6,
  TYPE_ID_TARGET: 7,
  TYPE_EXISTS: 8,
  TYPE_SIZE: 9,
  ENUMVAL_EXISTS: 10,
  ENUMVAL_VALUE: 11,
  TYPE_MATCHES: 12,
} as const;

/** The answer to a record. */
export interface CoreResult {
  /**
   * The value in the object's own types, which the compiler put into the
   * instruction; undefined where the compiler may have chosen another one
   * (type ids, and the bytes around a bit field).
   */
  readonly local: bigint | undefined;
  /** The value for the instruction; undefined where the target has no such field or enumerator. */
  readonly target: bigint | undefined;
  /** For a field's offset: its bytes on either side (0 for a bit field), and whether a load may be resized. */
  readonly resize?: { readonly local: number; readonly target: number; readonly safe: boolean };
  /** The access in C's words, for messages: `struct sock.__sk_common.skc_dport`. */
  readonly text: string;
  /** Whether earlier records have ruled out some of the target's types of the name. */
  readonly narrowed: boolean;
}

/**
 * Answers the records of one object file. All records of one local type are
 * answered from the same target types: each answer drops the candidates that
 * lack what it asked for, so a program never reads with two layouts mixed. Ask
 * in the order of the file.
 */
export class CoreRelocations {
  readonly #local: Btf;
  readonly #target: () => Btf;
  /** By local type id: the target types still in question, and how many there were. */
  readonly #candidates = new Map<number, { readonly left: readonly number[]; readonly count: number }>();

  /** @param target gives the types to relocate against; called only when a record needs them */
  constructor(local: Btf, target: () => Btf) {
    this.#local = local;
    this.#target = target;
  }

  /**
   * Answers one record.
   * @throws {BtfError} where the record makes no sense in the object's own types,
   * or the target has several types of the name that give different answers
   */
  resolve(record: CoreRecord): CoreResult {
    const { kind, type } = record;
    if (!/^\d{1,9}(:\d{1,9})*$/.test(record.access))
      throw new BtfError(`CO-RE access ${JSON.stringify(record.access)} is not a list of indices`);
    const access = record.access.split(":").map(Number);
    if (kind === CoreKind.TYPE_ID_LOCAL) {
      checkWhole(this.#local, type, access);
      return { local: undefined, target: BigInt(type), text: typeText(this.#local, type), narrowed: false };
    }
    const question = questionOf(this.#local, type, access, kind);
    const local = question.local;
    const { left: known, count } = this.#candidates.get(type) ?? this.#find(type);
    let answer: Answer | undefined;
    const kept = known.filter((candidate) => {
      const other = question.answer(this.#target(), candidate);
      if (other === undefined) return false;
      if (answer !== undefined && (other.value !== answer.value || other.bit !== answer.bit)) {
        throw new BtfError(
          `${question.text} is ambiguous: the target has several types ${essentialName(this.#local.name(type))}, ` +
            "which differ in it",
        );
      }
      answer ??= other;
      return true;
    });
    this.#candidates.set(type, { left: kept.length > 0 ? kept : known, count });
    return {
      local: local.exact ? local.value : undefined,
      target: answer === undefined ? question.absent : answer.value,
      text: question.text,
      narrowed: known.length < count,
      ...(local.size !== undefined && answer?.size !== undefined
        ? {
            resize: {
              local: local.size,
              target: answer.size,
              safe: local.size === answer.size || question.resizes(this.#target(), answer),
            },
          }
        : {}),
    };
  }

  /** The target's types of the same kind and name as a local one. */
  #find(id: number): { left: readonly number[]; count: number } {
    const name = this.#local.name(id);
    if (name === "") throw new BtfError(`CO-RE access to type ${id}, a ${this.#local.kind(id)} without a name`);
    const kind = this.#local.kind(id);
    const target = this.#target();
    const left = target.flavoursOf(name).filter((candidate) => kindsAreCompatible(kind, target.kind(candidate)));
    return { left, count: left.length };
  }
}

/** One side's answer. */
interface Answer {
  readonly value: bigint;
  /** Whether a compiler puts exactly this value into the instruction. */
  readonly exact: boolean;
  /** Bits from the start of the root type: candidates have to agree on it for every kind of question. */
  readonly bit: number;
  /** For a field's offset: its bytes (an element's for an array) and its type; 0 and void for a bit field. */
  readonly size?: number;
  readonly type?: number;
}

/** A record in terms that can be asked of any type. */
interface Question {
  readonly text: string;
  readonly local: Answer;
  /** A candidate's answer; undefined where it lacks what is asked for. */
  answer(target: Btf, candidate: number): Answer | undefined;
  /** The answer where no candidate has one; undefined where the instruction is to be replaced. */
  readonly absent: bigint | undefined;
  /** Whether a load of the local size may become one of the target's. */
  resizes(target: Btf, answer: Answer): boolean;
}

function questionOf(local: Btf, type: number, access: readonly number[], kind: number): Question {
  if (kind <= CoreKind.FIELD_RSHIFT_U64) return fieldQuestion(local, type, access, kind);
  switch (kind) {
    case CoreKind.TYPE_ID_TARGET:
    case CoreKind.TYPE_EXISTS:
    case CoreKind.TYPE_SIZE:
    case CoreKind.TYPE_MATCHES:
      return typeQuestion(local, type, access, kind);
    case CoreKind.ENUMVAL_EXISTS:
    case CoreKind.ENUMVAL_VALUE:
      return enumeratorQuestion(local, type, access, kind);
    default:
      throw new BtfError(`CO-RE relocation of kind ${kind} is not known`);
  }
}

function typeText(btf: Btf, id: number): string {
  const type = btf.type(id);
  const name = "name" in type && type.name !== "" ? type.name : `type ${id}`;
  return type.kind === "struct" || type.kind === "union" || isEnum(type)
    ? `${type.kind === "enum64" ? "enum" : type.kind} ${name}`
    : name;
}

const isEnum = (type: BtfType) => type.kind === "enum" || type.kind === "enum64";

function checkWhole(btf: Btf, type: number, access: readonly number[]): void {
  if (access.length !== 1 || access[0] !== 0)
    throw new BtfError(`CO-RE access ${access.join(":")} to ${typeText(btf, type)} as a whole, where 0 is expected`);
}

function typeQuestion(local: Btf, type: number, access: readonly number[], kind: number): Question {
  checkWhole(local, type, access);
  const answer = (btf: Btf, id: number): Answer => ({
    value: kind === CoreKind.TYPE_SIZE ? BigInt(sizeOf(btf, id)) : kind === CoreKind.TYPE_ID_TARGET ? BigInt(id) : 1n,
    // Linking may number the types anew.
    exact: kind !== CoreKind.TYPE_ID_TARGET,
    bit: 0,
  });
  const fits = kind === CoreKind.TYPE_MATCHES ? matches : areCompatible;
  return {
    text: typeText(local, type),
    local: answer(local, type),
    answer: (target, id) => (fits(local, type, target, id) ? answer(target, id) : undefined),
    absent: 0n,
    resizes: () => false,
  };
}

function enumeratorQuestion(local: Btf, type: number, access: readonly number[], kind: number): Question {
  const exists = kind === CoreKind.ENUMVAL_EXISTS;
  const own = enumerators(resolveType(local, type));
  const enumerator = access.length === 1 ? own?.[access[0]!] : undefined;
  if (enumerator === undefined)
    throw new BtfError(`CO-RE access to enumerator ${access.join(":")} of ${typeText(local, type)}, which is absent`);
  const name = essentialName(enumerator.name);
  const answer = (value: bigint): Answer => ({ value: exists ? 1n : value, exact: true, bit: 0 });
  return {
    text: `${typeText(local, type)}::${enumerator.name}`,
    local: answer(enumerator.value),
    answer(target, id) {
      const found = enumerators(resolveType(target, id))?.find((other) => essentialName(other.name) === name);
      return found === undefined ? undefined : answer(found.value);
    },
    absent: exists ? 0n : undefined,
    resizes: () => false,
  };
}

const enumerators = (type: BtfType) => (type.kind === "enum" || type.kind === "enum64" ? type.values : undefined);

/** A step of an access: into a member by name, or to an array element. */
type Step =
  | { readonly member: BtfMember }
  /** `type` is the element's. */
  | { readonly index: number; readonly type: number };

/** Where an access leads. */
interface Place {
  /** Bits from the start of the root. */
  readonly bit: number;
  readonly last: Step;
}

function fieldQuestion(local: Btf, type: number, access: readonly number[], kind: number): Question {
  const { bit, steps, text } = walkLocal(local, type, access);
  const exists = kind === CoreKind.FIELD_EXISTS;
  const answer = (btf: Btf, place: Place): Answer =>
    exists ? { value: 1n, exact: true, bit: place.bit } : fieldAnswer(btf, place, kind, text);
  const own = answer(local, { bit, last: steps.at(-1)! });
  return {
    text,
    local: own,
    answer(target, id) {
      const place = walkTarget(target, id, steps, local);
      return place === undefined ? undefined : answer(target, place);
    },
    absent: exists ? 0n : undefined,
    resizes(target, { type: other }) {
      const [from, to] = [local.type(own.type!), target.type(other!)];
      if (from.kind === "ptr" && to.kind === "ptr") return true;
      // Unsigned numbers stay the same when zero bytes are added or dropped.
      return from.kind === "int" && to.kind === "int" && from.encoding !== "signed" && to.encoding !== "signed";
    },
  };
}

/** An array without length at the end of a struct has as many elements as the program asks for. */
function isFlexible(length: number, outer: { readonly last: boolean } | undefined): boolean {
  return length === 0 && outer?.last === true;
}

function walkLocal(
  btf: Btf,
  root: number,
  access: readonly number[],
): { readonly bit: number; readonly steps: readonly Step[]; readonly text: string } {
  if (access.length > MAX_DEPTH) throw new BtfError(`CO-RE access ${access.join(":")} has too many steps`);
  let type = skipModifiers(btf, root);
  let bit = access[0]! * sizeOf(btf, type) * 8;
  const steps: Step[] = [{ index: access[0]!, type }];
  let text = typeText(btf, root);
  /** The member that the last step went into. */
  let within: { readonly last: boolean } | undefined;
  for (const index of access.slice(1)) {
    const outer = resolveType(btf, type);
    if (outer.kind === "struct" || outer.kind === "union") {
      const member = outer.members[index];
      if (member === undefined)
        throw new BtfError(`CO-RE access to member ${index} of ${text}, which has ${outer.members.length}`);
      bit += member.offset;
      type = member.type;
      // An anonymous struct takes no step of its own: the target may nest its members otherwise.
      if (member.name !== "") {
        steps.push({ member });
        within = { last: index === outer.members.length - 1 };
        text += `.${member.name}`;
      }
    } else if (outer.kind === "array") {
      if (index >= outer.length && !isFlexible(outer.length, within))
        throw new BtfError(`CO-RE access to element ${index} of ${text}, which has ${outer.length}`);
      type = skipModifiers(btf, outer.element);
      bit += index * sizeOf(btf, type) * 8;
      steps.push({ index, type });
      within = undefined;
      text += `[${index}]`;
    } else {
      throw new BtfError(`CO-RE access goes into ${text}, a ${outer.kind}, which has no parts`);
    }
  }
  return { bit, steps, text };
}

function walkTarget(btf: Btf, root: number, steps: readonly Step[], local: Btf): Place | undefined {
  let type = root;
  let bit = 0;
  let last: Step | undefined;
  let within: { readonly last: boolean } | undefined;
  for (const [i, step] of steps.entries()) {
    type = skipModifiers(btf, type);
    if ("member" in step) {
      const found = searchMember(btf, type, step.member, local, 0);
      if (found === undefined || found === "other") return undefined;
      bit += found.bit;
      type = found.member.type;
      within = found;
      last = { member: found.member };
    } else {
      if (i > 0) {
        const outer = btf.type(type);
        if (outer.kind !== "array" || (step.index >= outer.length && !isFlexible(outer.length, within)))
          return undefined;
        type = skipModifiers(btf, outer.element);
      }
      bit += step.index * sizeOf(btf, type) * 8;
      within = undefined;
      last = { index: step.index, type };
    }
  }
  return { bit, last: last! };
}

/**
 * A member by name, also within anonymous structs and unions.
 * @returns "other" where a member of that name has a type that cannot stand for the local one
 */
function searchMember(
  btf: Btf,
  id: number,
  wanted: BtfMember,
  local: Btf,
  depth: number,
): { readonly member: BtfMember; readonly bit: number; readonly last: boolean } | "other" | undefined {
  if (depth > MAX_DEPTH) throw new BtfError(`type ${id}: more than ${MAX_DEPTH} anonymous structs within each other`);
  const type = resolveType(btf, id);
  if (type.kind !== "struct" && type.kind !== "union") return undefined;
  for (const [i, member] of type.members.entries()) {
    if (member.name === wanted.name) {
      if (!fieldsAreCompatible(local, wanted.type, btf, member.type)) return "other";
      return { member, bit: member.offset, last: i === type.members.length - 1 };
    }
    if (member.name !== "") continue;
    const found = searchMember(btf, member.type, wanted, local, depth + 1);
    if (found === "other") return found;
    if (found !== undefined) return { ...found, bit: member.offset + found.bit };
  }
  return undefined;
}

function fieldAnswer(btf: Btf, { bit, last }: Place, kind: number, text: string): Answer {
  if (!("member" in last)) {
    if (kind === CoreKind.FIELD_BYTE_OFFSET) {
      const { type } = last;
      return { value: BigInt(Math.floor(bit / 8)), exact: true, bit, type, size: elementSize(btf, type) };
    }
    if (kind === CoreKind.FIELD_BYTE_SIZE) return { value: BigInt(sizeOf(btf, last.type)), exact: true, bit };
    throw new BtfError(`CO-RE relocation of kind ${kind} asks about ${text}, an element, and is for members only`);
  }
  const type = skipModifiers(btf, last.member.type);
  const isBitField = last.member.bits !== 0;
  const { offset, size, bits } = storage(btf, type, bit, last.member.bits);
  if (kind === CoreKind.FIELD_SIGNED) {
    const resolved = btf.type(type);
    const signed =
      (resolved.kind === "int" && resolved.encoding === "signed") ||
      ((resolved.kind === "enum" || resolved.kind === "enum64") && resolved.signed);
    return { value: signed ? 1n : 0n, exact: true, bit };
  }
  const unsigned = (value: number) => BigInt.asUintN(32, BigInt(value));
  switch (kind) {
    case CoreKind.FIELD_BYTE_OFFSET:
      return {
        value: BigInt(offset),
        exact: !isBitField,
        bit,
        type: isBitField ? 0 : type,
        size: isBitField ? 0 : elementSize(btf, type),
      };
    case CoreKind.FIELD_BYTE_SIZE:
      return { value: BigInt(size), exact: !isBitField, bit };
    case CoreKind.FIELD_LSHIFT_U64:
      return { value: unsigned(64 - (bit + bits - offset * 8)), exact: !isBitField, bit };
    default:
      return { value: unsigned(64 - bits), exact: true, bit };
  }
}

/** The bytes that a load of a type takes: of an array, those of one element. */
function elementSize(btf: Btf, id: number): number {
  for (let depth = 0; depth < MAX_DEPTH; depth++) {
    const type = resolveType(btf, id);
    if (type.kind !== "array") return sizeOf(btf, id);
    id = type.element;
  }
  throw new BtfError(`type ${id}: arrays within each other go round`);
}

/** The bytes to load for a field: for a bit field, the aligned ones around it. */
function storage(btf: Btf, type: number, bit: number, bits: number): { offset: number; size: number; bits: number } {
  let size = sizeOf(btf, type);
  if (bits === 0) return { offset: Math.floor(bit / 8), size, bits: size * 8 };
  if (size === 0) throw new BtfError("a bit field of a type without size");
  let offset = Math.floor(bit / 8 / size) * size;
  while (bit + bits > (offset + size) * 8) {
    if (size >= 8)
      throw new BtfError(`a bit field of ${bits} bits at bit ${bit} does not lie in 8 bytes that can be loaded`);
    size *= 2;
    offset = Math.floor(bit / 8 / size) * size;
  }
  return { offset, size, bits };
}
