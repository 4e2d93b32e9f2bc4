import { MapFlag, MapType } from "./bpf.ts";
import { mapKind } from "./map-kinds.ts";
import { u32 } from "./scalar.ts";
import { encodeValue, type Infer, type Schema } from "./schema.ts";

/**
 * A map as its declaration says it: the one source of what the BPF program may
 * do with it, of the handle in user space, and of its BTF.
 */
export interface MapDefinition<T extends MapType = MapType, K extends Schema = Schema, V extends Schema = Schema> {
  /** The kernel shows its first 15 bytes; a pin bears all of it. */
  readonly name: string;
  readonly type: T;
  readonly key: K;
  readonly value: V;
  /** Elements; for a ring buffer, bytes. */
  readonly maxEntries: number;
  /** `MapFlag`s. */
  readonly flags: number;
  /** Only for an array: the bytes of its first element, written before any program is loaded. Zero if absent. */
  readonly initialValue?: Uint8Array;
  /** Whether user space gives up writing to the map for good (`BPF_MAP_FREEZE`), so that the verifier may take its content for constant. */
  readonly frozen?: boolean;
}

/** The key of a map that has none, such as a ring buffer. */
export const none: Schema<undefined> = {
  kind: "void",
  size: 0,
  align: 1,
  read: () => undefined,
  write: () => {},
  toString: () => "void",
};

interface Sizes {
  /** Elements at most. */
  maxEntries: number;
  /** `MapFlag`s. */
  flags?: number;
}

type Keyed<K extends Schema, V extends Schema> = Sizes & { key: K; value: V };
type Indexed<V extends Schema> = Sizes & { value: V };

function define<T extends MapType, K extends Schema, V extends Schema>(
  type: T,
  name: string,
  key: K,
  value: V,
  { maxEntries, flags = 0 }: Sizes,
): MapDefinition<T, K, V> {
  if (!/^[A-Za-z0-9_.]+$/.test(name))
    throw new RangeError(`a map's name consists of letters, digits, "_" and ".", unlike ${JSON.stringify(name)}`);
  if (!Number.isInteger(maxEntries) || maxEntries < 0 || maxEntries > 0xffff_ffff) {
    throw new RangeError(`map ${name}: maxEntries is a whole number below 2^32, not ${maxEntries}`);
  }
  return Object.freeze({ name, type, key, value, maxEntries, flags: flags | (mapKind(type).flags ?? 0) });
}

/** A hash table. */
export const hash = <K extends Schema, V extends Schema>(name: string, o: Keyed<K, V>) =>
  define(MapType.HASH, name, o.key, o.value, o);
/** A hash table that evicts the least recently used element when it is full. */
export const lruHash = <K extends Schema, V extends Schema>(name: string, o: Keyed<K, V>) =>
  define(MapType.LRU_HASH, name, o.key, o.value, o);
/** A hash table with a value of its own for each CPU. */
export const percpuHash = <K extends Schema, V extends Schema>(name: string, o: Keyed<K, V>) =>
  define(MapType.PERCPU_HASH, name, o.key, o.value, o);
/** `percpuHash` that evicts. */
export const lruPercpuHash = <K extends Schema, V extends Schema>(name: string, o: Keyed<K, V>) =>
  define(MapType.LRU_PERCPU_HASH, name, o.key, o.value, o);
/** A trie looked up by longest prefix; its key begins with a `u32`, the prefix length in bits. */
export const lpmTrie = <K extends Schema, V extends Schema>(name: string, o: Keyed<K, V>) =>
  define(MapType.LPM_TRIE, name, o.key, o.value, o);
/** An array, indexed by `u32`; every element is there from the start, zero. */
export const array = <V extends Schema>(name: string, o: Indexed<V>) => define(MapType.ARRAY, name, u32, o.value, o);
/** An array with a value of its own for each CPU. */
export const percpuArray = <V extends Schema>(name: string, o: Indexed<V>) =>
  define(MapType.PERCPU_ARRAY, name, u32, o.value, o);
/** An array of programs, for tail calls. */
export const progArray = (name: string, o: Sizes) => define(MapType.PROG_ARRAY, name, u32, u32, o);
/** A value that hangs on a socket and goes with it. In user space its key is a socket's file descriptor. */
export const skStorage = <V extends Schema>(name: string, o: { value: V; flags?: number }) =>
  define(MapType.SK_STORAGE, name, u32, o.value, { ...o, maxEntries: 0 });
/** A queue of records to user space; `maxEntries` is its size in bytes, a power of two and a multiple of the page size. */
export const ringbuf = <V extends Schema>(name: string, o: { value: V; maxEntries: number; flags?: number }) =>
  define(MapType.RINGBUF, name, none, o.value, o);

/**
 * A variable that programs and user space share: an array map of one element,
 * which the program reaches without a lookup (Linux 5.2).
 */
export interface GlobalVariable<V extends Schema> extends MapDefinition<typeof MapType.ARRAY, typeof u32, V> {
  readonly initialValue: Uint8Array;
}

/** A global variable that programs may write, with its value at the start. */
export function global<V extends Schema>(name: string, value: V, initial: Infer<V>): GlobalVariable<V> {
  return Object.freeze({
    ...array(name, { value, maxEntries: 1 }),
    initialValue: encodeValue<unknown>(value, initial),
  });
}

/** A global variable that never changes once programs are loaded: the verifier takes it for a constant, and drops branches that it decides. */
export function readOnlyGlobal<V extends Schema>(name: string, value: V, initial: Infer<V>): GlobalVariable<V> {
  return Object.freeze({ ...global(name, value, initial), flags: MapFlag.RDONLY_PROG, frozen: true });
}

/** The same global variable with another value at the start. */
export function withInitialValue<V extends Schema>(variable: GlobalVariable<V>, initial: Infer<V>): GlobalVariable<V> {
  return Object.freeze({ ...variable, initialValue: encodeValue<unknown>(variable.value, initial) });
}

/** The same map with room for another number of entries. */
export function withMaxEntries<D extends MapDefinition>(definition: D, maxEntries: number): D {
  return Object.freeze({ ...definition, maxEntries });
}
