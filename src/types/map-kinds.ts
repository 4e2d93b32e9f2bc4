import { MapFlag, MapType } from "./bpf.ts";

/** The operations that programs have on a map: those of the builder, by the helpers `bpf_map_*_elem`. */
export type MapOperation = "lookup" | "update" | "delete";

/** The rules of one type of map, for programs, user space, BTF and the simulator. */
export interface MapKind {
  readonly type: MapType;
  /** The operations of programs by key. Other kinds of maps have helpers of their own. */
  readonly program: readonly MapOperation[];
  /**
   * The elements as user space has them: under keys that come and go, under
   * indices that are always there, on an object that owns them, or as records
   * that are read once; or none.
   */
  readonly elements: "keyed" | "indexed" | "owned" | "records" | "none";
  /** True where each CPU has its own value. */
  readonly perCpu?: true;
  /** Whether the kernel takes key and value types (`map_check_btf` in kernel/bpf/syscall.c). Default: true. */
  readonly btf?: "refused" | "required";
  /** `MapFlag`s that the kernel demands. */
  readonly flags?: number;
  /** True where the kernel counts the elements (`bpf_map_sum_elem_count`, Linux 6.6). */
  readonly counted?: true;
  /** True where `value` describes records, which the kernel is not told the size of. */
  readonly untypedRecords?: true;
  /** True where libbpf takes key and value for 32-bit numbers unless a declaration says otherwise. */
  readonly numbered?: true;
  /** True where values are maps. */
  readonly ofMaps?: true;
  /** The simulator's storage of elements; absent if the kind is not simulated. */
  readonly simulated?: "hash" | "lru-hash" | "array" | "lpm-trie" | "socket-storage" | "ring-buffer" | "program-array";
  /** Sizes of the smallest map, where they are not 4 bytes of key, 4 of value and one entry. */
  readonly least?: { readonly keySize?: number; readonly valueSize?: number; readonly maxEntries?: number };
}

const keyed = ["lookup", "update", "delete"] as const;
const fixed = ["lookup", "update"] as const;

const ownedStorage = {
  program: [],
  elements: "owned",
  btf: "required",
  flags: MapFlag.NO_PREALLOC,
  least: { maxEntries: 0 },
} as const;

const records = {
  program: [],
  elements: "records",
  btf: "refused",
  untypedRecords: true,
  // A multiple of the page size on every machine.
  least: { keySize: 0, valueSize: 0, maxEntries: 65_536 },
} as const;

/** Every kind of map, by the kernel's name for its type. */
export const mapKinds = {
  HASH: { type: MapType.HASH, program: keyed, elements: "keyed", counted: true, simulated: "hash" },
  ARRAY: { type: MapType.ARRAY, program: fixed, elements: "indexed", simulated: "array" },
  PROG_ARRAY: { type: MapType.PROG_ARRAY, program: [], elements: "keyed", simulated: "program-array" },
  PERF_EVENT_ARRAY: {
    type: MapType.PERF_EVENT_ARRAY,
    btf: "refused",
    program: [],
    elements: "keyed",
    numbered: true,
  },
  PERCPU_HASH: {
    type: MapType.PERCPU_HASH,
    program: keyed,
    elements: "keyed",
    perCpu: true,
    counted: true,
    simulated: "hash",
  },
  PERCPU_ARRAY: { type: MapType.PERCPU_ARRAY, program: fixed, elements: "indexed", perCpu: true, simulated: "array" },
  STACK_TRACE: { type: MapType.STACK_TRACE, btf: "refused", program: [], elements: "keyed", least: { valueSize: 8 } },
  CGROUP_ARRAY: { type: MapType.CGROUP_ARRAY, btf: "refused", program: [], elements: "keyed" },
  LRU_HASH: { type: MapType.LRU_HASH, program: keyed, elements: "keyed", counted: true, simulated: "lru-hash" },
  LRU_PERCPU_HASH: {
    type: MapType.LRU_PERCPU_HASH,
    program: keyed,
    elements: "keyed",
    perCpu: true,
    counted: true,
    simulated: "lru-hash",
  },
  LPM_TRIE: {
    type: MapType.LPM_TRIE,
    program: keyed,
    elements: "keyed",
    flags: MapFlag.NO_PREALLOC,
    simulated: "lpm-trie",
    least: { keySize: 8 },
  },
  ARRAY_OF_MAPS: { type: MapType.ARRAY_OF_MAPS, btf: "refused", program: [], elements: "keyed", ofMaps: true },
  HASH_OF_MAPS: { type: MapType.HASH_OF_MAPS, btf: "refused", program: [], elements: "keyed", ofMaps: true },
  DEVMAP: { type: MapType.DEVMAP, btf: "refused", program: [], elements: "keyed" },
  SOCKMAP: { type: MapType.SOCKMAP, btf: "refused", program: [], elements: "keyed" },
  CPUMAP: { type: MapType.CPUMAP, btf: "refused", program: [], elements: "keyed" },
  XSKMAP: { type: MapType.XSKMAP, btf: "refused", program: [], elements: "keyed" },
  SOCKHASH: { type: MapType.SOCKHASH, btf: "refused", program: [], elements: "keyed" },
  CGROUP_STORAGE: {
    type: MapType.CGROUP_STORAGE,
    program: [],
    elements: "keyed",
    least: { keySize: 16, maxEntries: 0 },
  },
  REUSEPORT_SOCKARRAY: { type: MapType.REUSEPORT_SOCKARRAY, program: [], elements: "keyed" },
  PERCPU_CGROUP_STORAGE: {
    type: MapType.PERCPU_CGROUP_STORAGE,
    program: [],
    elements: "keyed",
    perCpu: true,
    least: { keySize: 16, maxEntries: 0 },
  },
  QUEUE: { type: MapType.QUEUE, btf: "refused", program: [], elements: "keyed", least: { keySize: 0 } },
  STACK: { type: MapType.STACK, btf: "refused", program: [], elements: "keyed", least: { keySize: 0 } },
  SK_STORAGE: { type: MapType.SK_STORAGE, ...ownedStorage, simulated: "socket-storage" },
  DEVMAP_HASH: { type: MapType.DEVMAP_HASH, btf: "refused", program: [], elements: "keyed" },
  STRUCT_OPS: { type: MapType.STRUCT_OPS, program: [], elements: "keyed" },
  RINGBUF: { type: MapType.RINGBUF, ...records, simulated: "ring-buffer" },
  INODE_STORAGE: { type: MapType.INODE_STORAGE, ...ownedStorage },
  TASK_STORAGE: { type: MapType.TASK_STORAGE, ...ownedStorage },
  BLOOM_FILTER: { type: MapType.BLOOM_FILTER, program: [], elements: "keyed", least: { keySize: 0 } },
  USER_RINGBUF: { type: MapType.USER_RINGBUF, ...records },
  CGRP_STORAGE: { type: MapType.CGRP_STORAGE, ...ownedStorage },
  ARENA: {
    type: MapType.ARENA,
    btf: "refused",
    program: [],
    elements: "none",
    flags: MapFlag.MMAPABLE,
    least: { keySize: 0, valueSize: 0 },
  },
} as const satisfies Readonly<Record<Exclude<keyof typeof MapType, "UNSPEC">, MapKind>>;

type Kinds = typeof mapKinds;

/** The types of maps on which programs have an operation. */
export type MapTypeWith<O extends MapOperation> = {
  [N in keyof Kinds]: O extends Kinds[N]["program"][number] ? Kinds[N]["type"] : never;
}[keyof Kinds];

/** The types of maps whose elements user space has in this way. */
export type MapTypeOf<E extends MapKind["elements"]> = {
  [N in keyof Kinds]: Kinds[N]["elements"] extends E ? Kinds[N]["type"] : never;
}[keyof Kinds];

/** The types of maps with a value for each CPU. */
export type PerCpuMapType = {
  [N in keyof Kinds]: Kinds[N] extends { readonly perCpu: true } ? Kinds[N]["type"] : never;
}[keyof Kinds];

const byType: ReadonlyMap<number, MapKind> = new Map(Object.values<MapKind>(mapKinds).map((kind) => [kind.type, kind]));

/** The rules of a type of map; a type that is not known has none and takes no BTF. */
export const mapKind = (type: MapType): MapKind =>
  byType.get(type) ?? { type, program: [], elements: "keyed", btf: "refused" };

const names = new Map<number, string>(Object.entries(MapType).map(([name, type]) => [type, name]));

/** The kernel's name of a type of map, such as `LRU_HASH`; the number where it has none here. */
export const mapTypeName = (type: number): string => names.get(type) ?? String(type);

/** True for the types of maps with a value for each CPU. */
export const isPerCpu = (type: MapType): boolean => mapKind(type).perCpu === true;
