/**
 * What a kernel can do, found by trying it: distributions carry features back
 * to old versions and leave others out of new ones, so a version says little.
 * Each question is asked once a process.
 */
import {
  atomicAdd,
  call,
  encode,
  exit,
  jlt,
  jump,
  label,
  loadAcquire,
  mayGoto,
  mov,
  movsx8,
  assemble,
  r0,
  r1,
  r10,
  r2,
  store,
  w0,
  type HelperName,
  type Item,
} from "../asm/index.ts";
import { btfProbes, mapBtf, type BtfFeatures } from "../btf/index.ts";
import {
  BpfError,
  Errno,
  Fd,
  linux,
  VerifierError,
  type Kernel,
  type MapCreate,
  type ProgramLoad,
} from "../kernel/index.ts";
import { type AttachType, MapFlag, MapType, ProgramType, skStorage, u32 } from "../types/index.ts";

/** Answers so far, by kernel and question. */
const answers = new WeakMap<Kernel, Map<string, boolean>>();

function ask(kernel: Kernel, question: string, probe: () => boolean): boolean {
  let known = answers.get(kernel);
  if (known === undefined) answers.set(kernel, (known = new Map<string, boolean>()));
  let answer = known.get(question);
  if (answer === undefined) known.set(question, (answer = probe()));
  return answer;
}

/** How `work` ended: an error number, 0 for none. Privileges that are missing say nothing of the kernel, and are thrown. */
function errnoOf(work: () => void): number {
  try {
    work();
    return 0;
  } catch (error) {
    if (!(error instanceof BpfError) || error.errno === Errno.EPERM) throw error;
    return error.errno;
  }
}

/** Bytes of a page on every machine, or a multiple. */
const PAGES = 65_536;
const LOCAL_STORAGE = { maxEntries: 0, flags: MapFlag.NO_PREALLOC } as const;

/** What a map needs to be created, where it is not 4 bytes of key, 4 of value and one entry. */
const shapes: Readonly<Partial<Record<MapType, Partial<MapCreate>>>> = {
  [MapType.STACK_TRACE]: { valueSize: 8 },
  [MapType.LPM_TRIE]: { keySize: 8, flags: MapFlag.NO_PREALLOC },
  [MapType.CGROUP_STORAGE]: { keySize: 16, maxEntries: 0 },
  [MapType.PERCPU_CGROUP_STORAGE]: { keySize: 16, maxEntries: 0 },
  [MapType.QUEUE]: { keySize: 0 },
  [MapType.STACK]: { keySize: 0 },
  [MapType.BLOOM_FILTER]: { keySize: 0 },
  [MapType.SK_STORAGE]: LOCAL_STORAGE,
  [MapType.INODE_STORAGE]: LOCAL_STORAGE,
  [MapType.TASK_STORAGE]: LOCAL_STORAGE,
  [MapType.CGRP_STORAGE]: LOCAL_STORAGE,
  [MapType.RINGBUF]: { keySize: 0, valueSize: 0, maxEntries: PAGES },
  [MapType.USER_RINGBUF]: { keySize: 0, valueSize: 0, maxEntries: PAGES },
  [MapType.ARENA]: { keySize: 0, valueSize: 0, flags: MapFlag.MMAPABLE },
};

/**
 * Whether maps of this type can be created. Not for `STRUCT_OPS`, whose maps
 * cannot be created without a type of the kernel's.
 * @throws {BpfError} EPERM, where privileges are missing
 */
export function hasMapType(
  type: Exclude<MapType, typeof MapType.UNSPEC | typeof MapType.STRUCT_OPS>,
  kernel: Kernel = linux,
): boolean {
  return ask(kernel, `map type ${type}`, () => {
    const open: Fd[] = [];
    const keep = (fd: Fd): Fd => {
      open.push(fd);
      return fd;
    };
    const shape = shapes[type];
    const plain = { name: "probe", keySize: 4, valueSize: 4, maxEntries: 1, flags: 0 };
    try {
      return (
        errnoOf(() => {
          const types = shape === LOCAL_STORAGE ? mapBtf(skStorage("probe", { value: u32 })) : undefined;
          const ofMaps = type === MapType.ARRAY_OF_MAPS || type === MapType.HASH_OF_MAPS;
          keep(
            kernel.createMap({
              ...plain,
              ...shape,
              type,
              ...(types && { btf: { ...types, fd: keep(kernel.loadBtf(types.btf)) } }),
              ...(ofMaps && { innerMap: keep(kernel.createMap({ ...plain, type: MapType.ARRAY })) }),
            }),
          );
        }) === 0
      );
    } finally {
      for (const fd of open) fd.close();
    }
  });
}

type Verdict =
  | { readonly result: "accepted" }
  | { readonly result: "refused"; readonly reason: string }
  | { readonly result: "unknown" };

/** What becomes of a program: `refused` by the verifier, or `unknown` to the kernel before it comes to that. */
function verdict(items: readonly Item[], kernel: Kernel, type: ProgramType, expectedAttachType?: AttachType): Verdict {
  const program: ProgramLoad = {
    name: "probe",
    type,
    code: encode(assemble(items)),
    license: "Dual MIT/GPL",
    ...(expectedAttachType !== undefined && { expectedAttachType }),
  };
  try {
    kernel.loadProgram(program).fd.close();
    return { result: "accepted" };
  } catch (error) {
    if (error instanceof VerifierError) return { result: "refused", reason: error.reason };
    if (error instanceof BpfError && error.errno !== Errno.EPERM) return { result: "unknown" };
    throw error;
  }
}

const RETURN_1: readonly Item[] = [mov(r0, 1), exit()];

/**
 * Whether programs of this type, for this hook, can be loaded.
 * @throws {BpfError} EPERM, where privileges are missing
 */
export function hasProgramType(type: ProgramType, expectedAttachType?: AttachType, kernel: Kernel = linux): boolean {
  return ask(
    kernel,
    `program type ${type} ${expectedAttachType ?? ""}`,
    () =>
      // The verifier only gets to see programs of a type that the kernel knows; it may well ask for more than this one has.
      verdict(RETURN_1, kernel, type, expectedAttachType).result !== "unknown",
  );
}

/** How the verifier says that there is no such helper, or not for this program. */
const NO_HELPER = /unknown func|invalid func|cannot use helper/;

/**
 * Whether programs of this type, for this hook, may call a helper.
 * @throws {BpfError} EPERM, where privileges are missing
 */
export function hasHelper(
  helper: HelperName | number,
  type: ProgramType,
  expectedAttachType?: AttachType,
  kernel: Kernel = linux,
): boolean {
  return ask(kernel, `helper ${helper} ${type} ${expectedAttachType ?? ""}`, () => {
    const found = verdict([call(helper), ...RETURN_1], kernel, type, expectedAttachType);
    // Its arguments are missing, so that a helper which may be called is refused for these.
    return found.result === "accepted" || (found.result === "refused" && !NO_HELPER.test(found.reason));
  });
}

/** Parts of the instruction set, with the kernel that brought each. */
const instructions = {
  /** Unsigned and signed less-than jumps, `-mcpu=v2` (Linux 4.14). */
  lessThan: [mov(r0, 0), jlt(r0, 1, "end"), mov(r0, 1), label("end"), exit()],
  /** Jumps on 32 bits, `-mcpu=v3` (5.1). */
  jump32: [mov(w0, 0), jlt(w0, 1, "end"), mov(w0, 1), label("end"), exit()],
  /** Atomics that fetch, `-mcpu=v3` (5.12). */
  atomicFetch: [
    store("u64", r10, -8, 0),
    mov(r1, 1),
    atomicAdd("u64", r10, -8, r1, { fetch: true }),
    mov(r0, 0),
    exit(),
  ],
  /** Sign extension, signed division, byte swaps, long jumps, `-mcpu=v4` (6.6). */
  v4: [mov(r1, 1), movsx8(r0, r1), exit()],
  /** Loops that the kernel bounds (6.9). */
  mayGoto: [mov(r0, 0), mayGoto("end"), jump("end"), label("end"), exit()],
  /** Loads that acquire and stores that release (6.15). */
  loadAcquire: [store("u64", r10, -8, 0), mov(r2, r10), loadAcquire("u64", r0, r2, -8), mov(r0, 0), exit()],
} as const satisfies Readonly<Record<string, readonly Item[]>>;

export type InstructionFeature = keyof typeof instructions;

/**
 * Whether the verifier and the JIT take a part of the instruction set.
 * @throws {BpfError} EPERM, where privileges are missing
 */
export function hasInstructions(feature: InstructionFeature, kernel: Kernel = linux): boolean {
  return ask(
    kernel,
    `instructions ${feature}`,
    () => verdict(instructions[feature], kernel, ProgramType.SOCKET_FILTER).result === "accepted",
  );
}

/**
 * The highest `-mcpu` level whose arithmetic and jumps the kernel takes; 1 is
 * the first. Atomics that give back the old value, which clang has from level 3
 * on, came to the kernel later (5.12) and are a question of their own.
 * @throws {BpfError} EPERM
 */
export function instructionSetLevel(kernel: Kernel = linux): 1 | 2 | 3 | 4 {
  if (!hasInstructions("lessThan", kernel)) return 1;
  if (!hasInstructions("jump32", kernel)) return 2;
  return hasInstructions("v4", kernel) ? 4 : 3;
}

/** What of BTF the kernel takes. */
export function btfFeatures(kernel: Kernel = linux): BtfFeatures {
  const entries = Object.entries(btfProbes).map(([feature, blob]) => [
    feature,
    ask(kernel, `btf ${feature}`, () => errnoOf(() => kernel.loadBtf(blob()).close()) === 0),
  ]);
  return Object.fromEntries(entries) as unknown as BtfFeatures;
}

/** Whether a hash map takes several elements by one call (5.6). @throws {BpfError} EPERM */
export function hasBatchOperations(kernel: Kernel = linux): boolean {
  return ask(kernel, "batches", () => {
    const shape = { name: "probe", type: MapType.HASH, keySize: 4, valueSize: 4, maxEntries: 1 } as const;
    const fd = kernel.createMap({ ...shape, flags: 0 });
    try {
      return kernel.mapElements(fd, shape).updateBatch(1).errno === 0;
    } finally {
      fd.close();
    }
  });
}

/** Larger than any descriptor can be. */
const NO_DESCRIPTOR = 0x7fff_ffff;

/** Whether programs are attached to cgroups by links, which can be pinned and updated (5.7). */
export function hasCgroupLinks(kernel: Kernel = linux): boolean {
  return ask(kernel, "cgroup links", () => {
    // A kernel that knows the command objects to the descriptor, one that does not to the command.
    const nothing = new Fd(NO_DESCRIPTOR, () => {});
    return errnoOf(() => kernel.updateLink(nothing, nothing)) === Errno.EBADF;
  });
}
