/**
 * CO-RE ("compile once, run everywhere"): a program compiled against one
 * kernel's structs is told where their fields are on another. A record names an
 * access in the object's own BTF; the answer comes from the target's BTF, by
 * names (Documentation/bpf/llvm_reloc.rst; `bpf_core_relo` in `linux/bpf.h`).
 */
import type { Btf } from "./btf.ts";
import { areCompatible, essentialName, fieldsAreCompatible, matches } from "./compatible.ts";
import type { CoreRecord } from "./ext.ts";
import { BtfError } from "./format.ts";
import { findMember, resolveType, sizeOf, skipModifiers } from "./resolve.ts";
import type { BtfType } from "./type.ts";

/** `enum bpf_core_relo_kind`. */
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

export interface CoreResult {
  /** What the object was compiled with. */
  readonly local: bigint;
  /** What goes into the instruction; undefined where the target has no such type, field or enumerator. */
  readonly target: bigint | undefined;
  /** For `FIELD_BYTE_OFFSET`: bytes of the field on either side, and whether a load may be narrowed or widened accordingly. */
  readonly resize?: { readonly local: number; readonly target: number; readonly zeroExtends: boolean };
  /** The access in words, for errors: `struct sock.__sk_common.skc_dport`. */
  readonly text: string;
}

/**
 * Resolves one record against the target's types.
 * @throws {BtfError} where the record makes no sense in the object's own BTF, or
 * the target has several types of the name that give different answers.
 */
export function resolveCore(record: CoreRecord, local: Btf, target: () => Btf): CoreResult {
  if (!/^\d{1,9}(:\d{1,9})*$/.test(record.access))
    throw new BtfError(`CO-RE access ${JSON.stringify(record.access)} is not a list of indices`);
  const access = record.access.split(":").map(Number);
  if (record.kind <= CoreKind.FIELD_RSHIFT_U64) return resolveField(record, access, local, target());
  switch (record.kind) {
    case CoreKind.TYPE_ID_LOCAL:
      return { local: BigInt(record.type), target: BigInt(record.type), text: typeText(local, record.type) };
    case CoreKind.TYPE_ID_TARGET:
    case CoreKind.TYPE_EXISTS:
    case CoreKind.TYPE_SIZE:
    case CoreKind.TYPE_MATCHES:
      return resolveWholeType(record, local, target());
    case CoreKind.ENUMVAL_EXISTS:
    case CoreKind.ENUMVAL_VALUE:
      return resolveEnumerator(record, access[0]!, local, target());
    default:
      throw new BtfError(`CO-RE relocation of kind ${record.kind} is not known`);
  }
}

function typeText(btf: Btf, id: number): string {
  const type = btf.type(id);
  const name = "name" in type && type.name !== "" ? type.name : `type ${id}`;
  return type.kind === "struct" || type.kind === "union" || type.kind === "enum" ? `${type.kind} ${name}` : name;
}

/** Types of the target that a local one may stand for. */
function candidates(local: Btf, id: number, target: Btf): number[] {
  const kind = local.kind(id);
  const name = essentialName(local.name(id));
  if (name === "") throw new BtfError(`CO-RE access to type ${id}, a ${kind} without a name`);
  const same = (other: string) => (isEnum(kind) ? isEnum(other) : other === kind);
  return target.named(name).filter((candidate) => same(target.kind(candidate)));
}

const isEnum = (kind: string) => kind === "enum" || kind === "enum64";

/** The one answer of all candidates that have one. */
function agree<T>(answers: readonly (T | undefined)[], same: (a: T, b: T) => boolean, text: string): T | undefined {
  const found = answers.filter((answer) => answer !== undefined);
  const first = found[0];
  if (first !== undefined && found.some((other) => !same(first, other))) {
    throw new BtfError(`${text} is ambiguous: the target has several types of that name, which differ in it`);
  }
  return first;
}

/** A field that an access leads to. */
interface Field {
  /** Bits from the start of the root. */
  readonly offset: number;
  readonly type: number;
  /** Bits of a bit field, or 0. */
  readonly bits: number;
}

/** A step of an access: into a member by name, or into an array element. */
type Step = { readonly member: string } | { readonly index: number };

function resolveField(record: CoreRecord, access: readonly number[], local: Btf, target: Btf): CoreResult {
  const { field, steps, text } = walkLocal(local, record.type, access);
  const root = skipModifiers(local, record.type);
  const found = candidates(local, root, target).map((candidate) => walkTarget(target, candidate, steps, local, field));
  const value = (btf: Btf, of: Field | undefined) => fieldValue(btf, of, record.kind);
  const chosen = agree(
    found,
    (a, b) =>
      value(target, a) === value(target, b) &&
      (record.kind !== CoreKind.FIELD_BYTE_OFFSET || sizeOf(target, a.type) === sizeOf(target, b.type)),
    text,
  );
  return {
    local: value(local, field)!,
    target: value(target, chosen),
    text,
    ...(record.kind === CoreKind.FIELD_BYTE_OFFSET && chosen !== undefined && field.bits === 0 && chosen.bits === 0
      ? {
          resize: {
            local: sizeOf(local, field.type),
            target: sizeOf(target, chosen.type),
            zeroExtends: zeroExtends(local, field.type) && zeroExtends(target, chosen.type),
          },
        }
      : {}),
  };
}

function walkLocal(btf: Btf, root: number, access: readonly number[]): { field: Field; steps: Step[]; text: string } {
  let type = skipModifiers(btf, root);
  let offset = access[0]! * sizeOf(btf, type) * 8;
  let bits = 0;
  const steps: Step[] = [{ index: access[0]! }];
  let text = typeText(btf, type);
  for (const index of access.slice(1)) {
    const outer = resolveType(btf, type);
    bits = 0;
    if (outer.kind === "struct" || outer.kind === "union") {
      const member = outer.members[index];
      if (member === undefined)
        throw new BtfError(`CO-RE access to member ${index} of ${text}, which has ${outer.members.length}`);
      offset += member.offset;
      bits = member.bits;
      type = member.type;
      // An anonymous struct is no step of its own: the target may nest its members otherwise.
      if (member.name !== "") {
        steps.push({ member: member.name });
        text += `.${member.name}`;
      }
    } else if (outer.kind === "array") {
      type = outer.element;
      offset += index * sizeOf(btf, type) * 8;
      steps.push({ index });
      text += `[${index}]`;
    } else {
      throw new BtfError(`CO-RE access goes into ${text}, a ${outer.kind}, which has no parts`);
    }
  }
  return { field: { offset, type, bits }, steps, text };
}

function walkTarget(btf: Btf, root: number, steps: readonly Step[], local: Btf, wanted: Field): Field | undefined {
  let type = root;
  let offset = 0;
  let bits = 0;
  for (const [i, step] of steps.entries()) {
    bits = 0;
    if ("member" in step) {
      const kind = btf.kind(skipModifiers(btf, type));
      if (kind !== "struct" && kind !== "union") return undefined;
      const found = findMember(btf, type, step.member);
      if (found === undefined) return undefined;
      offset += found.offset;
      bits = found.member.bits;
      type = found.member.type;
    } else if (i === 0) {
      offset += step.index * sizeOf(btf, type) * 8;
    } else {
      const outer = resolveType(btf, type);
      // An array of length 0 at the end of a struct has as many elements as one likes.
      if (outer.kind !== "array" || (outer.length > 0 && step.index >= outer.length)) return undefined;
      type = outer.element;
      offset += step.index * sizeOf(btf, type) * 8;
    }
  }
  return fieldsAreCompatible(local, wanted.type, btf, type) ? { offset, type, bits } : undefined;
}

function fieldValue(btf: Btf, field: Field | undefined, kind: number): bigint | undefined {
  if (kind === CoreKind.FIELD_EXISTS) return field === undefined ? 0n : 1n;
  if (field === undefined) return undefined;
  if (kind === CoreKind.FIELD_SIGNED) {
    const type = resolveType(btf, field.type);
    return ("encoding" in type && type.encoding === "signed") || ("signed" in type && type.signed) ? 1n : 0n;
  }
  const { offset, size, bits } = storage(btf, field);
  switch (kind) {
    case CoreKind.FIELD_BYTE_OFFSET:
      return BigInt(offset);
    case CoreKind.FIELD_BYTE_SIZE:
      return BigInt(size);
    case CoreKind.FIELD_LSHIFT_U64:
      return BigInt(64 - (field.offset + bits - offset * 8));
    default:
      return BigInt(64 - bits);
  }
}

/** The bytes to load to get at a field: for a bit field, the aligned ones around it. */
function storage(btf: Btf, field: Field): { offset: number; size: number; bits: number } {
  let size = sizeOf(btf, field.type);
  if (field.bits === 0) return { offset: Math.floor(field.offset / 8), size, bits: size * 8 };
  if (size === 0) throw new BtfError("a bit field of a type without size");
  let offset = Math.floor(field.offset / 8 / size) * size;
  while (field.offset + field.bits > (offset + size) * 8) {
    if (size >= 8)
      throw new BtfError(
        `a bit field of ${field.bits} bits at bit ${field.offset} does not lie in 8 bytes that can be loaded`,
      );
    size *= 2;
    offset = Math.floor(field.offset / 8 / size) * size;
  }
  return { offset, size, bits: field.bits };
}

/** Whether a load of more or fewer bytes gives the same number: of pointers, enumerations and unsigned integers. */
function zeroExtends(btf: Btf, id: number): boolean {
  const type = resolveType(btf, id);
  return (
    type.kind === "ptr" ||
    (type.kind === "int" && type.encoding !== "signed") ||
    ((type.kind === "enum" || type.kind === "enum64") && !type.signed)
  );
}

function resolveWholeType(record: CoreRecord, local: Btf, target: Btf): CoreResult {
  const text = typeText(local, record.type);
  const fits = record.kind === CoreKind.TYPE_MATCHES ? matches : areCompatible;
  const found = candidates(local, record.type, target).filter((candidate) =>
    fits(local, record.type, target, candidate),
  );
  const value = (btf: Btf, id: number): bigint =>
    record.kind === CoreKind.TYPE_SIZE
      ? BigInt(sizeOf(btf, id))
      : record.kind === CoreKind.TYPE_ID_TARGET
        ? BigInt(id)
        : 1n;
  const whether = record.kind === CoreKind.TYPE_EXISTS || record.kind === CoreKind.TYPE_MATCHES;
  const chosen = agree(
    found.map((id) => value(target, id)),
    (a, b) => a === b,
    text,
  );
  return { local: value(local, record.type), target: chosen ?? (whether ? 0n : undefined), text };
}

function resolveEnumerator(record: CoreRecord, index: number, local: Btf, target: Btf): CoreResult {
  const root = skipModifiers(local, record.type);
  const enumerator = enumerators(local.type(root))?.[index];
  const text = `${typeText(local, root)}${enumerator === undefined ? "" : `::${enumerator.name}`}`;
  if (enumerator === undefined)
    throw new BtfError(`CO-RE access to enumerator ${index} of ${text}, which there is not`);
  const name = essentialName(enumerator.name);
  const found = candidates(local, root, target).map(
    (candidate) => enumerators(target.type(candidate))?.find((other) => essentialName(other.name) === name)?.value,
  );
  const whether = record.kind === CoreKind.ENUMVAL_EXISTS;
  const chosen = agree(
    whether ? found.map((value) => (value === undefined ? undefined : 1n)) : found,
    (a, b) => a === b,
    text,
  );
  return { local: whether ? 1n : enumerator.value, target: chosen ?? (whether ? 0n : undefined), text };
}

const enumerators = (type: BtfType) => (type.kind === "enum" || type.kind === "enum64" ? type.values : undefined);
