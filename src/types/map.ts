import { MapFlag, MapType } from "./bpf.ts";
import { mapKind } from "./map-kinds.ts";
import { u32 } from "./scalar.ts";
import { encodeValue, type Infer, type Schema } from "./schema.ts";

/** A map's declaration: programs, handles in user space and BTF derive from it. */
export interface MapDefinition<T extends MapType = MapType, K extends Schema = Schema, V extends Schema = Schema> {
  /** The kernel shows its first 15 bytes; a pin has all of it. */
  readonly name: string;
  readonly type: T;
  readonly key: K;
  readonly value: V;
  /** Elements; for a ring buffer, bytes. */
  readonly maxEntries: number;
  /** `MapFlag`s. */
  readonly flags: number;
  /** Arrays only: the bytes of the first element, written before programs are loaded; zeroes if absent. */
  readonly initialValue?: Uint8Array;
  /** True where user space never writes again (`BPF_MAP_FREEZE`), so the verifier may treat the content as constant. */
  readonly frozen?: boolean;
}

/** The key of a map without keys, such as a ring buffer. */
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
    throw new RangeError(`map name ${JSON.stringify(name)}: use letters, digits, "_" and "." only`);
  if (!Number.isInteger(maxEntries) || maxEntries < 0 || maxEntries > 0xffff_ffff) {
    throw new RangeError(`map ${name}: maxEntries must be a whole number below 2^32, not ${maxEntries}`);
  }
  return Object.freeze({ name, type, key, value, maxEntries, flags: flags | (mapKind(type).flags ?? 0) });
}

/**
 * Declares a hash table.
 *
 * @example
 * ```ts
 * import { hash, ipv4, u64 } from "tsbpf";
 *
 * const packets = hash("packets", { key: ipv4, value: u64, maxEntries: 1024 });
 * ```
 */
export const hash = <K extends Schema, V extends Schema>(name: string, o: Keyed<K, V>) =>
  define(MapType.HASH, name, o.key, o.value, o);
/**
 * Declares a hash table that evicts the least recently used element when it is full.
 *
 * @example
 * ```ts
 * import { ipv4, lruHash, u64 } from "tsbpf";
 *
 * const lastSeen = lruHash("last_seen", { key: ipv4, value: u64, maxEntries: 65_536 });
 * ```
 */
export const lruHash = <K extends Schema, V extends Schema>(name: string, o: Keyed<K, V>) =>
  define(MapType.LRU_HASH, name, o.key, o.value, o);
/**
 * Declares a hash table with one value for each CPU.
 *
 * @example
 * ```ts
 * import { ipv4, percpuHash, u64 } from "tsbpf";
 *
 * const bytes = percpuHash("bytes", { key: ipv4, value: u64, maxEntries: 1024 });
 * ```
 */
export const percpuHash = <K extends Schema, V extends Schema>(name: string, o: Keyed<K, V>) =>
  define(MapType.PERCPU_HASH, name, o.key, o.value, o);
/**
 * Declares a `percpuHash` that evicts the least recently used element when it is full.
 *
 * @example
 * ```ts
 * import { ipv4, lruPercpuHash, u64 } from "tsbpf";
 *
 * const bytes = lruPercpuHash("bytes", { key: ipv4, value: u64, maxEntries: 1024 });
 * ```
 */
export const lruPercpuHash = <K extends Schema, V extends Schema>(name: string, o: Keyed<K, V>) =>
  define(MapType.LRU_PERCPU_HASH, name, o.key, o.value, o);
/**
 * Declares a trie that finds the longest matching prefix. The key begins with a
 * `u32`: the length of the prefix in bits.
 *
 * @example
 * ```ts
 * import { ipv4, lpmTrie, struct, u32, u8 } from "tsbpf";
 *
 * const Prefix = struct("prefix", { bits: u32, address: ipv4 });
 * const blocked = lpmTrie("blocked", { key: Prefix, value: u8, maxEntries: 1024 });
 * ```
 */
export const lpmTrie = <K extends Schema, V extends Schema>(name: string, o: Keyed<K, V>) =>
  define(MapType.LPM_TRIE, name, o.key, o.value, o);
/**
 * Declares an array, indexed by `u32`. All elements exist from the start, as zeroes.
 *
 * @example
 * ```ts
 * import { array, u64 } from "tsbpf";
 *
 * const counters = array("counters", { value: u64, maxEntries: 256 });
 * ```
 */
export const array = <V extends Schema>(name: string, o: Indexed<V>) => define(MapType.ARRAY, name, u32, o.value, o);
/**
 * Declares an array with one value for each CPU.
 *
 * @example
 * ```ts
 * import { percpuArray, u64 } from "tsbpf";
 *
 * const counters = percpuArray("counters", { value: u64, maxEntries: 256 });
 * ```
 */
export const percpuArray = <V extends Schema>(name: string, o: Indexed<V>) =>
  define(MapType.PERCPU_ARRAY, name, u32, o.value, o);
/**
 * Declares an array of programs for tail calls.
 *
 * @example
 * ```ts
 * import { cgroup, PROCEED, progArray } from "tsbpf";
 *
 * const stages = progArray("stages", { maxEntries: 4 });
 * const first = cgroup.connect4("first", (b, ctx) => {
 *   b.tailCall(ctx, stages, 0);
 *   return PROCEED; // where the array has no program at this index
 * });
 * ```
 */
export const progArray = (name: string, o: Sizes) => define(MapType.PROG_ARRAY, name, u32, u32, o);
/**
 * Declares values that belong to sockets: each ends with its socket. In user
 * space the key is a socket's file descriptor.
 *
 * @example
 * ```ts
 * import { cgroup, PROCEED, skStorage, u64 } from "tsbpf";
 *
 * const calls = skStorage("calls", { value: u64 });
 * const sendmsg4 = cgroup.sendmsg4("sendmsg4", (b, ctx) => {
 *   b.skStorageGet(calls, ctx.sk, { create: true }).ifFound((count) => count.value.set(count.value.add(1)));
 *   return PROCEED;
 * });
 * ```
 */
export const skStorage = <V extends Schema>(name: string, o: { value: V; flags?: number }) =>
  define(MapType.SK_STORAGE, name, u32, o.value, { ...o, maxEntries: 0 });
/**
 * Declares a ring buffer: a queue of records for user space (Linux 5.8).
 * `maxEntries` is its size in bytes, a power of two and a multiple of the page size.
 *
 * @example
 * ```ts
 * import { cgroup, ipv4, PROCEED, ringbuf } from "tsbpf";
 *
 * const destinations = ringbuf("destinations", { value: ipv4, maxEntries: 65_536 });
 * const connect4 = cgroup.connect4("connect4", (b, ctx) => {
 *   b.ringbufOutput(destinations, ctx.userIp4);
 *   return PROCEED;
 * });
 * ```
 */
export const ringbuf = <V extends Schema>(name: string, o: { value: V; maxEntries: number; flags?: number }) =>
  define(MapType.RINGBUF, name, none, o.value, o);

/**
 * A variable that programs and user space share: an array map of one element,
 * which the program reaches without a lookup (Linux 5.2).
 */
export interface GlobalVariable<V extends Schema> extends MapDefinition<typeof MapType.ARRAY, typeof u32, V> {
  readonly initialValue: Uint8Array;
}

/**
 * Declares a global variable with its first value. Programs reach it by `b.global`.
 *
 * @example
 * ```ts
 * import { cgroup, global, PROCEED, u64 } from "tsbpf";
 *
 * const calls = global("calls", u64, 0n);
 * const connect4 = cgroup.connect4("connect4", (b) => {
 *   b.global(calls).value.atomicAdd(1);
 *   return PROCEED;
 * });
 * ```
 */
export function global<V extends Schema>(name: string, value: V, initial: Infer<V>): GlobalVariable<V> {
  return Object.freeze({
    ...array(name, { value, maxEntries: 1 }),
    initialValue: encodeValue<unknown>(value, initial),
  });
}

/**
 * Declares a global variable that never changes once programs are loaded. The
 * verifier treats it as a constant and drops branches that it decides.
 *
 * @example
 * ```ts
 * import { cgroup, PROCEED, readOnlyGlobal, REJECT, u32 } from "tsbpf";
 *
 * const closed = readOnlyGlobal("closed", u32, 1);
 * const connect4 = cgroup.connect4("connect4", (b) => {
 *   b.if(b.global(closed).value.ne(0), () => b.return(REJECT));
 *   return PROCEED;
 * });
 * ```
 */
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
