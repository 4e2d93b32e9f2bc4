/** Maps declared in C: variables in `.maps` whose struct type describes the map (libbpf's `bpf_helpers.h`). */
import { bytes, resolveType, schemaOf, type Btf, type BtfType } from "../btf/index.ts";
import { mapKind, MapType, none, u32, type MapDefinition, type Schema } from "../types/index.ts";
import { ElfError } from "./error.ts";

/** The member that asks for a pin; the kernel is not told of it. */
const PINNING = "pinning";
const LIBBPF_PIN_BY_NAME = 1;

export interface ObjectMap {
  readonly definition: MapDefinition;
  /** Declared with `LIBBPF_PIN_BY_NAME`. */
  readonly pinned: boolean;
}

const knownTypes: ReadonlySet<number> = new Set(Object.values(MapType));

/** The map that a variable of section `.maps` declares. @throws {ElfError} which names it */
export function mapDefinition(btf: Btf, variable: number): ObjectMap {
  const name = btf.name(variable);
  const fail = (reason: string) => new ElfError(reason, { section: ".maps", symbol: name });
  const declared = resolveType(btf, (btf.type(variable) as { type: number }).type);
  if (declared.kind !== "struct") throw fail(`its type is a ${declared.kind}, but a map's is a struct`);

  const numbers = new Map<string, number>();
  const schemas = new Map<string, Schema>();
  for (const member of declared.members) {
    switch (member.name) {
      case "type":
      case "max_entries":
      case "map_flags":
      case "key_size":
      case "value_size":
      case "map_extra":
      case "numa_node":
      case PINNING:
        numbers.set(
          member.name,
          numberMember(btf, member.type, () =>
            fail(`its member ${member.name} is not declared with __uint(${member.name}, …)`),
          ),
        );
        break;
      case "key":
      case "value":
        schemas.set(
          member.name,
          pointedSchema(btf, member.type, () =>
            fail(`its member ${member.name} is not declared with __type(${member.name}, …)`),
          ),
        );
        break;
      case "values":
        throw fail(
          "maps of maps and initial values in a declaration (__array(values, …)) are not supported: " +
            "fill the map after loading",
        );
      default:
        throw fail(`its member ${member.name} is not known`);
    }
  }
  const number = (member: string) => numbers.get(member) ?? 0;
  const type = number("type");
  if (!knownTypes.has(type) || type === MapType.UNSPEC) throw fail(`map type ${type} is not known`);
  for (const unsupported of ["map_extra", "numa_node"]) {
    if (number(unsupported) !== 0) throw fail(`${unsupported} = ${number(unsupported)} is not supported`);
  }
  const part = (kind: "key" | "value"): Schema => {
    const schema = schemas.get(kind);
    const size = numbers.get(`${kind}_size`);
    if (schema !== undefined) {
      if (size !== undefined && size !== schema.size)
        throw fail(`its ${kind} has ${schema.size} bytes, but ${kind}_size is ${size}`);
      return schema;
    }
    if (size === undefined || size === 0) return mapKind(type as MapType).numbered ? u32 : none;
    return size === 4 ? u32 : bytes(size);
  };
  if (number(PINNING) > LIBBPF_PIN_BY_NAME) throw fail(`pinning = ${number(PINNING)} is not known`);
  return {
    definition: Object.freeze({
      name,
      type: type as MapType,
      key: part("key"),
      value: part("value"),
      maxEntries: number("max_entries"),
      flags: number("map_flags"),
    }),
    pinned: number(PINNING) === LIBBPF_PIN_BY_NAME,
  };
}

/** `__uint(name, n)` is `int (*name)[n]`. */
function numberMember(btf: Btf, id: number, fault: () => ElfError): number {
  const pointer = resolveType(btf, id);
  const array: BtfType = pointer.kind === "ptr" ? resolveType(btf, pointer.type) : pointer;
  if (pointer.kind !== "ptr" || array.kind !== "array") throw fault();
  return array.length;
}

/** `__type(name, T)` is `T *name`. */
function pointedSchema(btf: Btf, id: number, fault: () => ElfError): Schema {
  const pointer = resolveType(btf, id);
  if (pointer.kind !== "ptr") throw fault();
  return schemaOf(btf, pointer.type);
}
