/**
 * Whether a type of one BTF can stand for a type of another: CO-RE's rules, as
 * in `__bpf_core_types_are_compat` and its neighbours in libbpf's relo_core.c.
 */
import type { Btf } from "./btf.ts";
import { essentialName } from "./flavour.ts";
import { BtfError, type BtfKindName } from "./format.ts";
import { MAX_DEPTH, skipModifiers } from "./resolve.ts";
import type { BtfComposite, BtfEnum, BtfType } from "./type.ts";

/** More comparisons than any sensible type takes; malformed BTF can ask for more. */
const MAX_STEPS = 10_000;

const isEnum = (type: BtfType): type is BtfEnum => type.kind === "enum" || type.kind === "enum64";
const isComposite = (type: BtfType): type is BtfComposite => type.kind === "struct" || type.kind === "union";

/** Whether two kinds are the same to CO-RE: an `enum` may have become an `enum64`. */
export function kindsAreCompatible(a: BtfKindName, b: BtfKindName): boolean {
  const wide = (kind: BtfKindName) => (kind === "enum64" ? "enum" : kind);
  return wide(a) === wide(b);
}

/** Whether a field of type `a` can be read as one of type `b`. @throws {BtfError} for endless types */
export function fieldsAreCompatible(local: Btf, a: number, target: Btf, b: number): boolean {
  for (let depth = 0; depth < MAX_DEPTH; depth++) {
    const from = local.type(skipModifiers(local, a));
    const to = target.type(skipModifiers(target, b));
    if (isComposite(from) && isComposite(to)) return true;
    if (!kindsAreCompatible(from.kind, to.kind)) return false;
    switch (from.kind) {
      case "ptr":
      case "int":
      case "float":
        return true;
      case "fwd":
      case "enum":
      case "enum64": {
        const [one, other] = [nameOf(from), nameOf(to)];
        return one === "" || other === "" || one === other;
      }
      case "array":
        a = from.element;
        b = (to as typeof from).element;
        break;
      default:
        return false;
    }
  }
  throw new BtfError(`type ${a}: arrays within each other go round`);
}

const nameOf = (type: BtfType) => ("name" in type ? essentialName(type.name) : "");

/**
 * Whether type `a` exists as type `b`: both are of one kind, and so is whatever
 * they point to or take. The caller has compared the names.
 * @throws {BtfError} for endless types
 */
export function areCompatible(local: Btf, a: number, target: Btf, b: number): boolean {
  return compatible(local, a, target, b, { left: MAX_STEPS });
}

function compatible(local: Btf, a: number, target: Btf, b: number, steps: { left: number }): boolean {
  if (!kindsAreCompatible(local.kind(a), target.kind(b))) return false;
  while (steps.left-- > 0) {
    const from = local.type(skipModifiers(local, a));
    const to = target.type(skipModifiers(target, b));
    if (!kindsAreCompatible(from.kind, to.kind)) return false;
    switch (from.kind) {
      case "void":
      case "struct":
      case "union":
      case "enum":
      case "enum64":
      case "fwd":
      case "int":
        return true;
      case "ptr":
        a = from.type;
        b = (to as typeof from).type;
        break;
      case "array":
        a = from.element;
        b = (to as typeof from).element;
        break;
      case "func_proto": {
        const other = to as typeof from;
        if (from.parameters.length !== other.parameters.length) return false;
        for (const [i, { type }] of from.parameters.entries()) {
          const [one, two] = [skipModifiers(local, type), skipModifiers(target, other.parameters[i]!.type)];
          if (!compatible(local, one, target, two, steps)) return false;
        }
        a = from.returns;
        b = other.returns;
        break;
      }
      default:
        return false;
    }
  }
  throw new BtfError(`type ${a} goes on without end`);
}

/**
 * Whether every member or enumerator of type `a` is in type `b`, with a type
 * that matches too. What is behind a pointer is compared by kind and name.
 * @throws {BtfError} for endless types
 */
export function matches(local: Btf, a: number, target: Btf, b: number): boolean {
  return new Matching(local, target).match(a, b, false, 0);
}

class Matching {
  readonly #local: Btf;
  readonly #target: Btf;
  #steps = 0;

  constructor(local: Btf, target: Btf) {
    this.#local = local;
    this.#target = target;
  }

  match(a: number, b: number, behindPointer: boolean, depth: number): boolean {
    if (depth > MAX_DEPTH || ++this.#steps > MAX_STEPS) throw new BtfError(`type ${a} goes on without end`);
    const from = this.#local.type(skipModifiers(this.#local, a));
    const to = this.#target.type(skipModifiers(this.#target, b));
    if (nameOf(from) !== nameOf(to)) return false;
    if (isEnum(from)) return isEnum(to) && enumeratorsMatch(from, to);
    if (behindPointer && from.kind === "fwd" && isComposite(to)) return from.union === (to.kind === "union");
    if (behindPointer && isComposite(from) && to.kind === "fwd") return to.union === (from.kind === "union");
    if (from.kind !== to.kind) return false;
    const same = (one: number, other: number, pointed = behindPointer) => this.match(one, other, pointed, depth + 1);
    switch (from.kind) {
      case "void":
        return true;
      case "fwd":
        return from.union === (to as typeof from).union;
      case "struct":
      case "union": {
        if (behindPointer) return true;
        const { members } = to as BtfComposite;
        return (
          from.members.length <= members.length &&
          from.members.every(({ name, type }) =>
            members.some((other) => essentialName(other.name) === essentialName(name) && same(type, other.type)),
          )
        );
      }
      case "int": {
        const other = to as typeof from;
        return from.size === other.size && (from.encoding === "signed") === (other.encoding === "signed");
      }
      case "ptr":
        return same(from.type, (to as typeof from).type, true);
      case "array":
        return from.length === (to as typeof from).length && same(from.element, (to as typeof from).element);
      case "func_proto": {
        const other = to as typeof from;
        return (
          from.parameters.length === other.parameters.length &&
          from.parameters.every(({ type }, i) => same(type, other.parameters[i]!.type)) &&
          same(from.returns, other.returns)
        );
      }
      default:
        return false;
    }
  }
}

function enumeratorsMatch(from: BtfEnum, to: BtfEnum): boolean {
  const names = new Set(to.values.map(({ name }) => essentialName(name)));
  return (
    from.size === to.size &&
    from.values.length <= to.values.length &&
    from.values.every(({ name }) => names.has(essentialName(name)))
  );
}
