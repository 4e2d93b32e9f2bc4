/** The mount table, and mounting a BPF file system. */
import { mkdirSync, readFileSync, statfsSync } from "node:fs";
import { cString } from "./bpf.ts";
import { BpfError } from "./bpf-error.ts";
import { addressOf, syscall } from "./ffi.ts";
import { syscallNumbers } from "./syscall-numbers.ts";

/** One mount. */
export interface Mount {
  readonly source: string;
  /** The mount point, an absolute path. */
  readonly directory: string;
  /** `cgroup2`, `bpf`, … */
  readonly type: string;
  readonly options: readonly string[];
}

/** Reads /proc/mounts (proc(5), fstab(5)), where octal escapes stand for blanks. */
export function parseMounts(text: string): Mount[] {
  const plain = (field: string) =>
    field.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 8)));
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const [source = "", directory = "", type = "", options = ""] = line.split(" ");
      return { source: plain(source), directory: plain(directory), type, options: options.split(",") };
    });
}

/**
 * The mounts visible to this process.
 *
 * @example
 * ```ts
 * import { mounts } from "tsbpf/kernel";
 *
 * console.log(mounts().find(({ type }) => type === "cgroup2")?.directory);
 * ```
 */
export function mounts(): Mount[] {
  return parseMounts(readFileSync("/proc/self/mounts", "utf8"));
}

/** `CGROUP2_SUPER_MAGIC` and `BPF_FS_MAGIC` (linux/magic.h). */
const MAGIC = { cgroup2: 0x63677270, bpf: 0xcafe4a11 } as const;

/**
 * Whether a path is on a file system of this type. @throws {Error} from `fs`, with `code`
 *
 * @example
 * ```ts
 * import { isOnFileSystem } from "tsbpf/kernel";
 *
 * console.log(isOnFileSystem("/sys/fs/bpf", "bpf"));
 * ```
 */
export function isOnFileSystem(path: string, type: keyof typeof MAGIC): boolean {
  return statfsSync(path).type >>> 0 === MAGIC[type];
}

/**
 * Mounts a BPF file system on a directory, creating the directory if needed.
 * @throws {BpfError}
 * @example
 * ```ts
 * import { isOnFileSystem, mountBpfFileSystem } from "tsbpf/kernel";
 *
 * if (!isOnFileSystem("/sys/fs/bpf", "bpf")) mountBpfFileSystem("/sys/fs/bpf");
 * ```
 */
export function mountBpfFileSystem(directory: string): void {
  mkdirSync(directory, { recursive: true });
  const [source, target, type, options] = ["bpf", directory, "bpf", "mode=0700"].map(cString) as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ];
  const { result, errno } = syscall(
    syscallNumbers().mount,
    addressOf(source),
    addressOf(target),
    addressOf(type),
    0,
    addressOf(options),
  );
  if (result < 0)
    throw new BpfError("mount", `BPF file system on ${directory}`, errno, {
      hint: "mounting needs root: mount -t bpf -o mode=0700 bpf /sys/fs/bpf",
    });
}

/**
 * Unmounts a file system (umount2(2)).
 * @throws {BpfError}
 */
export function unmount(directory: string): void {
  const target = cString(directory);
  const { result, errno } = syscall(syscallNumbers().umount2, addressOf(target), 0);
  if (result < 0) throw new BpfError("umount", directory, errno);
}
