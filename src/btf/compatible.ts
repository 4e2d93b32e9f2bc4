/**
 * When a type of one BTF may stand for a type of another (the rules of CO-RE,
 * as libbpf's relo_core.c has them: names decide, sizes and order do not).
 */
import type { Btf } from "./btf.ts";
import { BtfError } from "./format.ts";
import { MAX_DEPTH, skipModifiers } from "./resolve.ts";
import type { BtfType } from "./type.ts";

const isEnum = (type: BtfType) => type.kind === "enum" || type.kind === "enum64";
const isComposite = (type: BtfType) => type.kind === "struct" || type.kind === "union";

/** A name without its flavour: `task_struct___old` means `task_struct`. */
export function essentialName(name: string): string {
  const flavour = name.indexOf("___");
  return flavour > 0 ? name.slice(0, flavour) : name;
}

/** Whether a field of type `a` can be read as one of type `b`. */
export function fieldsAreCompatible(local: Btf, a: number, target: Btf, b: number): boolean {
  for (let depth = 0; depth < MAX_DEPTH; depth++) {
    const from = local.type(skipModifiers(local, a));
    const to = target.type(skipModifiers(target, b));
    if (isComposite(from) && isComposite(to)) return true;
    if (isEnum(from) && isEnum(to)) return sameName(from, to);
    if (from.kind !== to.kind) return false;
    switch (from.kind) {
      case "ptr":
      case "int":
      case "float":
        return true;
      case "fwd":
        return sameName(from, to);
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

function sameName(from: BtfType, to: BtfType): boolean {
  const [a, b] = [from, to].map((type) => ("name" in type ? essentialName(type.name) : ""));
  return a === "" || b === "" || a === b;
}

/** Whether a type is there, taken loosely: of the same kind, and so all that it points to or takes. */
export function areCompatible(local: Btf, a: number, target: Btf, b: number): boolean {
  return new Comparison(local, target, false).same(a, b, 0);
}

/** Whether every member or enumerator of a type is there in the other with a type that matches, too. */
export function matches(local: Btf, a: number, target: Btf, b: number): boolean {
  return new Comparison(local, target, true).same(a, b, 0);
}

/** More than any comparison of sense takes; malformed BTF can ask for more. */
const MAX_PAIRS = 10_000;

class Comparison {
  readonly #local: Btf;
  readonly #target: Btf;
  readonly #members: boolean;
  /** Pairs that were compared; true for those that are being, since structs point to each other. */
  readonly #seen = new Map<string, boolean>();

  constructor(local: Btf, target: Btf, members: boolean) {
    this.#local = local;
    this.#target = target;
    this.#members = members;
  }

  same(a: number, b: number, depth: number): boolean {
    const localId = skipModifiers(this.#local, a);
    const targetId = skipModifiers(this.#target, b);
    const pair = `${localId} ${targetId}`;
    const before = this.#seen.get(pair);
    if (before !== undefined) return before;
    if (this.#seen.size > MAX_PAIRS || depth > MAX_DEPTH) throw new BtfError(`type ${a} goes on without end`);
    this.#seen.set(pair, true);
    const result = this.#compare(this.#local.type(localId), this.#target.type(targetId), depth);
    this.#seen.set(pair, result);
    return result;
  }

  #compare(from: BtfType, to: BtfType, depth: number): boolean {
    if (isEnum(from) && isEnum(to)) return !this.#members || this.#enumerators(from, to);
    if (from.kind !== to.kind) {
      return this.#members && ((from.kind === "fwd" && isComposite(to)) || (isComposite(from) && to.kind === "fwd"));
    }
    switch (from.kind) {
      case "ptr":
        return this.same(from.type, (to as typeof from).type, depth + 1);
      case "array": {
        const other = to as typeof from;
        return (!this.#members || from.length === other.length) && this.same(from.element, other.element, depth + 1);
      }
      case "func_proto": {
        const other = to as typeof from;
        return (
          from.parameters.length === other.parameters.length &&
          this.same(from.returns, other.returns, depth + 1) &&
          from.parameters.every((parameter, i) => this.same(parameter.type, other.parameters[i]!.type, depth + 1))
        );
      }
      case "int":
        return (
          !this.#members || (from.size === (to as typeof from).size && from.encoding === (to as typeof from).encoding)
        );
      case "struct":
      case "union": {
        if (!this.#members) return true;
        const other = to as typeof from;
        // What is only pointed to is compared by name.
        if (depth > 0 && from.name !== "") return from.name === other.name;
        return from.members.every((member) =>
          other.members.some(
            (candidate) => candidate.name === member.name && this.same(member.type, candidate.type, depth + 1),
          ),
        );
      }
      default:
        return true;
    }
  }

  #enumerators(from: BtfType, to: BtfType): boolean {
    if (!("values" in from) || !("values" in to)) return false;
    return from.values.every(({ name }) => to.values.some((other) => other.name === name));
  }
}
