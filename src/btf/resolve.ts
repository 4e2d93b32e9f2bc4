/** Questions that follow references between types: the type behind a typedef, its size, the place of a field. */
import type { Btf } from "./btf.ts";
import { BtfError } from "./format.ts";
import type { BtfMember, BtfType } from "./type.ts";

/** Types in a chain, or within each other, beyond which BTF counts as circular (32 in the kernel). */
export const MAX_DEPTH = 64;

/**
 * The id behind `typedef`, `const`, `volatile`, `restrict` and type tags.
 * @throws {BtfError} if the chain is circular or leaves the BTF
 */
export function skipModifiers(btf: Btf, id: number): number {
  for (let depth = 0; depth < MAX_DEPTH; depth++) {
    const kind = btf.kind(id);
    if (kind !== "typedef" && kind !== "const" && kind !== "volatile" && kind !== "restrict" && kind !== "type_tag")
      return id;
    id = (btf.type(id) as { type: number }).type;
  }
  throw new BtfError(`type ${id}: its chain of typedefs is circular`);
}

/**
 * The type behind typedefs and qualifiers, decoded.
 * @throws {BtfError} if the chain is circular or leaves the BTF
 *
 * @example
 * ```ts
 * import { kernelBtf, resolveType } from "tsbpf/btf";
 *
 * const btf = kernelBtf();
 * console.log(resolveType(btf, btf.find("typedef", "__u32")!).kind); // int
 * ```
 */
export function resolveType(btf: Btf, id: number): BtfType {
  return btf.type(skipModifiers(btf, id));
}

/**
 * The size of a type in bytes.
 * @throws {BtfError} if it has none, as a function
 *
 * @example
 * ```ts
 * import { kernelBtf, sizeOf } from "tsbpf/btf";
 *
 * const btf = kernelBtf();
 * console.log(sizeOf(btf, btf.find("struct", "list_head")!)); // 16
 * ```
 */
export function sizeOf(btf: Btf, id: number, depth = 0): number {
  if (depth > MAX_DEPTH) throw new BtfError(`type ${id}: its arrays contain each other without end`);
  const type = resolveType(btf, id);
  switch (type.kind) {
    case "int":
    case "struct":
    case "union":
    case "enum":
    case "enum64":
    case "float":
    case "datasec":
      return type.size;
    case "ptr":
      return 8;
    case "array": {
      const size = type.length * sizeOf(btf, type.element, depth + 1);
      if (size > 0xffff_ffff) throw new BtfError(`type ${id}: an array of ${size} bytes`);
      return size;
    }
    case "var":
      return sizeOf(btf, type.type, depth + 1);
    default:
      throw new BtfError(`type ${id}, a ${type.kind}, has no size`);
  }
}

/** A member of a struct or union, found by name. */
export interface FoundMember {
  readonly member: BtfMember;
  /** Bits from the start of the outermost struct. */
  readonly offset: number;
}

/**
 * Finds a member by name, also within anonymous structs and unions.
 * @returns undefined if no member has the name
 * @throws {BtfError} if `id` is not a struct or union
 *
 * @example
 * ```ts
 * import { findMember, kernelBtf } from "tsbpf/btf";
 *
 * const btf = kernelBtf();
 * console.log(findMember(btf, btf.find("struct", "sock")!, "__sk_common")?.offset); // 0
 * ```
 */
export function findMember(btf: Btf, id: number, name: string): FoundMember | undefined {
  return search(btf, skipModifiers(btf, id), name, new Set());
}

/** `seen` ends the search through structs that contain themselves. */
function search(btf: Btf, id: number, name: string, seen: Set<number>): FoundMember | undefined {
  const type = btf.type(id);
  if (type.kind !== "struct" && type.kind !== "union")
    throw new BtfError(`type ${id} is a ${type.kind}, which has no member ${name}`);
  if (seen.size > MAX_DEPTH)
    throw new BtfError(`type ${id}: more than ${MAX_DEPTH} anonymous structs within each other`);
  seen.add(id);
  for (const member of type.members) {
    if (member.name === name) return { member, offset: member.offset };
    if (member.name !== "") continue;
    const inner = skipModifiers(btf, member.type);
    const kind = btf.kind(inner);
    if ((kind !== "struct" && kind !== "union") || seen.has(inner)) continue;
    const found = search(btf, inner, name, seen);
    if (found !== undefined) return { member: found.member, offset: member.offset + found.offset };
  }
  return undefined;
}

/**
 * The place of a field by its path: `"__sk_common.skc_dport"` in `struct sock`.
 * @returns its offset in bits from the start of the struct, its type, and the bits of a bit field, or 0
 * @throws {BtfError} which names the missing part of the path
 *
 * @example
 * ```ts
 * import { fieldOf, kernelBtf } from "tsbpf/btf";
 *
 * const btf = kernelBtf();
 * const { offset, type } = fieldOf(btf, btf.find("struct", "task_struct")!, "pid");
 * console.log(offset / 8, btf.name(type));
 * ```
 */
export function fieldOf(btf: Btf, id: number, path: string): { offset: number; type: number; bits: number } {
  let type = id;
  let offset = 0;
  let bits = 0;
  for (const part of path.split(".")) {
    const found = findMember(btf, type, part);
    if (found === undefined)
      throw new BtfError(`${btf.name(skipModifiers(btf, type)) || `type ${type}`} has no member ${part} (of ${path})`);
    offset += found.offset;
    type = found.member.type;
    bits = found.member.bits;
  }
  return { offset, type, bits };
}
