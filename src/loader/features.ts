/**
 * Kernel features, found by probing: distributions backport features to old versions and leave others out of
 * new ones, so a version number says little. Each feature is probed once per process.
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
import { BpfError, Errno, Fd, linux, VerifierError, type Kernel, type ProgramLoad } from "../kernel/index.ts";
import { type AttachType, mapKind, MapType, ProgramType, skStorage, u32 } from "../types/index.ts";

/** Results so far, by kernel and question. */
const answers = new WeakMap<Kernel, Map<string, boolean>>();

function ask(kernel: Kernel, question: string, probe: () => boolean): boolean {
  let known = answers.get(kernel);
  if (known === undefined) answers.set(kernel, (known = new Map<string, boolean>()));
  let answer = known.get(question);
  if (answer === undefined) known.set(question, (answer = probe()));
  return answer;
}

/** The error number of `work`, 0 if it succeeded. Missing privileges say nothing about the kernel: EPERM is thrown. */
function errnoOf(work: () => void): number {
  try {
    work();
    return 0;
  } catch (error) {
    if (!(error instanceof BpfError) || error.errno === Errno.EPERM) throw error;
    return error.errno;
  }
}

/**
 * Whether maps of this type can be created. `STRUCT_OPS` is excluded, since such a map needs a kernel type.
 * @throws {BpfError} EPERM if privileges are missing
 * @example
 * ```ts
 * import { MapType } from "tsbpf";
 * import { hasMapType } from "tsbpf/kernel";
 *
 * if (!hasMapType(MapType.RINGBUF)) throw new Error("this program needs Linux 5.8");
 * ```
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
    const { least, flags = 0, btf, ofMaps } = mapKind(type);
    const plain = { name: "probe", keySize: 4, valueSize: 4, maxEntries: 1, flags: 0 };
    try {
      return (
        errnoOf(() => {
          const types = btf === "required" ? mapBtf(skStorage("probe", { value: u32 })) : undefined;
          keep(
            kernel.createMap({
              ...plain,
              ...least,
              flags,
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

/** The outcome of a load: `refused` by the verifier, or `unknown` to the kernel before verification. */
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
 * Whether programs of this type and for this hook can be loaded.
 * @throws {BpfError} EPERM if privileges are missing
 * @example
 * ```ts
 * import { AttachType, ProgramType } from "tsbpf";
 * import { hasProgramType } from "tsbpf/kernel";
 *
 * console.log(hasProgramType(ProgramType.CGROUP_SOCK_ADDR, AttachType.CGROUP_INET4_CONNECT));
 * ```
 */
export function hasProgramType(type: ProgramType, expectedAttachType?: AttachType, kernel: Kernel = linux): boolean {
  return ask(
    kernel,
    `program type ${type} ${expectedAttachType ?? ""}`,
    () =>
      // Only programs of known types reach the verifier, which may still refuse this one.
      verdict(RETURN_1, kernel, type, expectedAttachType).result !== "unknown",
  );
}

/** The verifier's messages for an unknown helper, or one that this program may not call. */
const NO_HELPER = /unknown func|invalid func|cannot use helper/;

/**
 * Whether programs of this type and for this hook may call a helper, by name or number.
 * @throws {BpfError} EPERM if privileges are missing
 * @example
 * ```ts
 * import { ProgramType } from "tsbpf";
 * import { hasHelper } from "tsbpf/kernel";
 *
 * console.log(hasHelper("bpf_ringbuf_output", ProgramType.XDP));
 * ```
 */
export function hasHelper(
  helper: HelperName | number,
  type: ProgramType,
  expectedAttachType?: AttachType,
  kernel: Kernel = linux,
): boolean {
  return ask(kernel, `helper ${helper} ${type} ${expectedAttachType ?? ""}`, () => {
    const found = verdict([call(helper), ...RETURN_1], kernel, type, expectedAttachType);
    // The call has no arguments, so an allowed helper is refused for these.
    return found.result === "accepted" || (found.result === "refused" && !NO_HELPER.test(found.reason));
  });
}

/** Extensions of the instruction set, with the kernel that introduced each. */
const instructions = {
  /** Unsigned and signed less-than jumps, `-mcpu=v2` (Linux 4.14). */
  lessThan: [mov(r0, 0), jlt(r0, 1, "end"), mov(r0, 1), label("end"), exit()],
  /** Jumps on 32 bits, `-mcpu=v3` (5.1). */
  jump32: [mov(w0, 0), jlt(w0, 1, "end"), mov(w0, 1), label("end"), exit()],
  /** Fetching atomics, `-mcpu=v3` (5.12). */
  atomicFetch: [
    store("u64", r10, -8, 0),
    mov(r1, 1),
    atomicAdd("u64", r10, -8, r1, { fetch: true }),
    mov(r0, 0),
    exit(),
  ],
  /** Sign extension, signed division, byte swaps, long jumps, `-mcpu=v4` (6.6). */
  v4: [mov(r1, 1), movsx8(r0, r1), exit()],
  /** Loops bounded by the kernel (6.9). */
  mayGoto: [mov(r0, 0), mayGoto("end"), jump("end"), label("end"), exit()],
  /** Load-acquire and store-release (6.15). */
  loadAcquire: [store("u64", r10, -8, 0), mov(r2, r10), loadAcquire("u64", r0, r2, -8), mov(r0, 0), exit()],
} as const satisfies Readonly<Record<string, readonly Item[]>>;

/** A part of the instruction set that came after Linux 5.10. */
export type InstructionFeature = keyof typeof instructions;

/**
 * Whether the verifier and the JIT accept an extension of the instruction set.
 * @throws {BpfError} EPERM if privileges are missing
 * @example
 * ```ts
 * import { hasInstructions } from "tsbpf/kernel";
 *
 * console.log(hasInstructions("atomicFetch"));
 * ```
 */
export function hasInstructions(feature: InstructionFeature, kernel: Kernel = linux): boolean {
  return ask(
    kernel,
    `instructions ${feature}`,
    () => verdict(instructions[feature], kernel, ProgramType.SOCKET_FILTER).result === "accepted",
  );
}

/**
 * The highest `-mcpu` level whose arithmetic and jumps the kernel accepts; at least 1. Fetching atomics, which
 * clang emits from level 3 on, came to the kernel later (5.12); probe them with
 * `hasInstructions("atomicFetch")`.
 * @throws {BpfError} EPERM if privileges are missing
 * @example
 * ```ts
 * import { instructionSetLevel } from "tsbpf/kernel";
 *
 * console.log(`build with -mcpu=v${instructionSetLevel()}`);
 * ```
 */
export function instructionSetLevel(kernel: Kernel = linux): 1 | 2 | 3 | 4 {
  if (!hasInstructions("lessThan", kernel)) return 1;
  if (!hasInstructions("jump32", kernel)) return 2;
  return hasInstructions("v4", kernel) ? 4 : 3;
}

/**
 * The kinds of BTF types that the kernel accepts.
 * @throws {BpfError} EPERM if privileges are missing
 * @example
 * ```ts
 * import { btfFeatures } from "tsbpf/kernel";
 *
 * console.log(btfFeatures().enum64);
 * ```
 */
export function btfFeatures(kernel: Kernel = linux): BtfFeatures {
  const entries = Object.entries(btfProbes).map(([feature, blob]) => [
    feature,
    ask(kernel, `btf ${feature}`, () => errnoOf(() => kernel.loadBtf(blob()).close()) === 0),
  ]);
  return Object.fromEntries(entries) as unknown as BtfFeatures;
}

/**
 * Whether one system call can write several elements of a hash map (5.6).
 * @throws {BpfError} EPERM if privileges are missing
 * @example
 * ```ts
 * import { hasBatchOperations } from "tsbpf/kernel";
 *
 * console.log(hasBatchOperations());
 * ```
 */
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

/** Larger than any descriptor. */
const NO_DESCRIPTOR = 0x7fff_ffff;

/**
 * Whether programs attach to cgroups by links, which can be pinned and updated (5.7).
 * @throws {BpfError} EPERM if privileges are missing
 * @example
 * ```ts
 * import { hasCgroupLinks } from "tsbpf/kernel";
 *
 * if (!hasCgroupLinks()) throw new Error("attaching to cgroups needs Linux 5.7");
 * ```
 */
export function hasCgroupLinks(kernel: Kernel = linux): boolean {
  return ask(kernel, "cgroup links", () => {
    // A kernel with this command rejects the descriptor; one without it rejects the command.
    const nothing = new Fd(NO_DESCRIPTOR, () => {});
    return errnoOf(() => kernel.updateLink(nothing, nothing)) === Errno.EBADF;
  });
}
