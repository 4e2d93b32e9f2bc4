/**
 * A directory of pins. Pins keep programs, maps and links alive without a process, and let a later process take
 * them over.
 *
 *     DIRECTORY/maps/NAME  programs/NAME  links/NAME
 *     DIRECTORY/owner      a symbolic link whose target names the owner
 *
 * The owner's pins have the sticky bit, and so have the three folders. A pin without it was made by something else,
 * such as `bpftool map pin`, and is left alone. In a folder without it, which an earlier version made, every pin is
 * the owner's.
 */
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmdirSync,
  symlinkSync,
  unlinkSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileReason } from "../limited-file.ts";
import {
  BpfError,
  Errno,
  linux,
  type Fd,
  type Kernel,
  type LinkInfo,
  type MapInfo,
  type ProgramInfo,
} from "../kernel/index.ts";
import type { MapDefinition } from "../types/index.ts";
import { LoaderError } from "./error.ts";
import { checkPinnedMap } from "./map-create.ts";
import { requireTrusted, withoutSymbolicLinks } from "./trusted-directory.ts";
import { openMap, type MapHandle } from "./typed-map.ts";

/** The kind of object that a pin names. */
export type PinKind = "maps" | "programs" | "links";

const KINDS: readonly PinKind[] = ["maps", "programs", "links"];
const OWNER = "owner";
/** The conventional mount point of bpffs; mounted on demand. */
const BPF_FILE_SYSTEM = "/sys/fs/bpf";

/** A link and its program. */
export interface PinnedLink {
  readonly name: string;
  readonly link: LinkInfo;
  /** Undefined if the program is gone, which happens only to a detached link. */
  readonly program: ProgramInfo | undefined;
}

/**
 * Programs, maps and links pinned in one directory of a BPF file system, for one owner.
 *
 * @example
 * ```ts
 * import { array, u64 } from "tsbpf";
 * import { PinDirectory } from "tsbpf/kernel";
 *
 * const calls = array("calls", { value: u64, maxEntries: 1 });
 * const pins = PinDirectory.open("/sys/fs/bpf/my-tool", "my-tool");
 * using map = pins?.map(calls);
 * console.log(map?.get(0));
 * ```
 */
export class PinDirectory {
  readonly directory: string;
  readonly #kernel: Kernel;

  private constructor(directory: string, kernel: Kernel) {
    this.directory = directory;
    this.#kernel = kernel;
  }

  /**
   * Opens a directory of pins, creating it if needed. Mounts the BPF file system at /sys/fs/bpf if the
   * directory is below it and none is mounted.
   * @param owner names the owner; another owner's directory is refused
   * @throws {LoaderError} if the directory is not on a BPF file system, or belongs to another owner
   * @throws {BpfError} if mounting fails
   */
  static create(directory: string, owner: string, kernel: Kernel = linux): PinDirectory {
    const wanted = resolve(directory);
    if ((wanted === BPF_FILE_SYSTEM || wanted.startsWith(`${BPF_FILE_SYSTEM}/`)) && !isBpf(BPF_FILE_SYSTEM, kernel)) {
      kernel.mountBpfFileSystem(BPF_FILE_SYSTEM);
    }
    const existing = checkPlace(wanted, kernel);
    const path = withoutSymbolicLinks(existing, wanted);
    requireTrusted(realpathSync(existing), path);
    if (existing === wanted) checkOwner(path, owner);
    try {
      mkdirSync(path, { recursive: true, mode: 0o700 });
      for (const kind of KINDS) mkdirSync(join(path, kind), { recursive: true, mode: 0o700 | MARK });
    } catch (error) {
      throw new LoaderError(`cannot make pin directory ${path}: ${fileReason(error)}`, { cause: error });
    }
    // Another user may have made a part of it since it was looked at.
    requireAllTrusted(path);
    if (!isLink(join(path, OWNER))) symlinkSync(owner, join(path, OWNER));
    checkOwner(path, owner);
    return new PinDirectory(path, kernel);
  }

  /**
   * Opens an existing directory of pins.
   * @returns undefined if there is none
   * @throws {LoaderError} if it belongs to another owner
   */
  static open(directory: string, owner: string, kernel: Kernel = linux): PinDirectory | undefined {
    const wanted = resolve(directory);
    if (!existsSync(wanted)) return undefined;
    checkPlace(wanted, kernel);
    const path = realpathSync(wanted);
    requireAllTrusted(path);
    if (readdirSync(path).length === 0) return undefined;
    checkOwner(path, owner);
    return new PinDirectory(path, kernel);
  }

  /** The path of a pin. The file system does not allow dots in names; they become `_`. */
  path(kind: PinKind, name: string): string {
    return join(this.directory, kind, name.replaceAll(".", "_"));
  }

  /** The names of the owner's pins of a kind, sorted. */
  names(kind: PinKind): string[] {
    return this.#entries(kind)
      .filter(({ isOurs }) => isOurs)
      .map(({ name }) => name);
  }

  /** The paths of what something else has put among the pins. It is never removed. */
  foreign(): string[] {
    return KINDS.flatMap((kind) =>
      this.#entries(kind)
        .filter(({ isOurs }) => !isOurs)
        .map(({ name }) => join(this.directory, kind, name)),
    );
  }

  /** Everything in the folder of a kind but temporary pins, sorted. */
  #entries(kind: PinKind): { readonly name: string; readonly isOurs: boolean }[] {
    const directory = join(this.directory, kind);
    const folder = lstatSync(directory, { throwIfNoEntry: false });
    if (folder === undefined) return [];
    return readdirSync(directory)
      .filter((name) => !name.startsWith(TEMPORARY))
      .sort()
      .flatMap((name) => {
        const stats = lstatSync(join(directory, name), { throwIfNoEntry: false });
        if (stats === undefined) return [];
        return [{ name, isOurs: !stats.isDirectory() && (isMarked(folder.mode) ? isMarked(stats.mode) : true) }];
      });
  }

  /** Makes pins the owner's that it uses and something else has made, and those of a folder without marks. */
  claim(kind: PinKind, used: Iterable<string>): void {
    const directory = join(this.directory, kind);
    for (const path of new Set([...used, ...this.names(kind)].map((name) => this.path(kind, name)))) mark(path);
    mark(directory);
  }

  /** Removes temporary pins, which a process that was killed has left. */
  removeTemporary(): void {
    for (const kind of KINDS) {
      const directory = join(this.directory, kind);
      if (!existsSync(directory)) continue;
      for (const name of readdirSync(directory)) if (name.startsWith(TEMPORARY)) removeFile(join(directory, name));
    }
  }

  /**
   * Opens a pinned map by its declaration.
   * @throws {LoaderError} if no map of that name is pinned, or it differs from the declaration
   */
  map<D extends MapDefinition>(definition: D): MapHandle<D> {
    const fd = this.openPinnedMap(definition.name);
    const path = this.path("maps", definition.name);
    if (fd === undefined)
      throw new LoaderError(`cannot open map ${definition.name}: nothing is pinned at ${path}`, {
        hint: "is it loaded?",
      });
    try {
      const info = this.#kernel.mapInfo(fd);
      checkPinnedMap(info, { ...definition, maxEntries: info.maxEntries }, path);
      return openMap(definition, fd, this.#kernel);
    } catch (error) {
      fd.close();
      throw error;
    }
  }

  /** The descriptor of a pinned map; undefined if there is none. @throws {BpfError} */
  openPinnedMap(name: string): Fd | undefined {
    return this.open("maps", name);
  }

  /** The descriptor of a pinned object; undefined if there is none. @throws {BpfError} */
  open(kind: PinKind, name: string): Fd | undefined {
    try {
      return this.#kernel.openPinned(this.path(kind, name));
    } catch (error) {
      if (error instanceof BpfError && error.errno === Errno.ENOENT) return undefined;
      throw this.#inTheWay(kind, name) ?? error;
    }
  }

  /**
   * Describes a pinned map.
   * @throws {BpfError}
   * @throws {LoaderError} if there is none
   */
  mapInfo(name: string): MapInfo {
    return this.#with("maps", name, (fd) => this.#kernel.mapInfo(fd));
  }

  /**
   * Describes a pinned program.
   * @throws {BpfError}
   * @throws {LoaderError} if there is none
   */
  programInfo(name: string): ProgramInfo {
    return this.#with("programs", name, (fd) => this.#kernel.programInfo(fd));
  }

  /** All pinned links and their programs. @throws {BpfError} */
  links(): PinnedLink[] {
    return this.names("links").map((name) => {
      const link = this.#with("links", name, (fd) => this.#kernel.linkInfo(fd));
      const program = this.#kernel.openById("program", link.programId);
      try {
        return { name, link, program: program && this.#kernel.programInfo(program) };
      } finally {
        program?.close();
      }
    });
  }

  /** Pins an object. @throws {BpfError} EEXIST if the name is taken */
  pin(kind: PinKind, name: string, object: Fd): void {
    this.#kernel.pinObject(object, this.path(kind, name));
    mark(this.path(kind, name));
  }

  /**
   * Pins an object; atomically replaces any earlier pin of that name.
   * @throws {LoaderError} if a directory has that name
   * @throws {BpfError}
   */
  replace(kind: PinKind, name: string, object: Fd): void {
    const path = this.path(kind, name);
    const temporary = join(dirname(path), `${TEMPORARY}${name.replaceAll(".", "_")}`);
    removeFile(temporary);
    this.#kernel.pinObject(object, temporary);
    mark(temporary);
    try {
      renameSync(temporary, path);
    } catch (error) {
      removeFile(temporary);
      throw this.#inTheWay(kind, name) ?? error;
    }
  }

  /** The error for a directory in the place of a pin; undefined if there is none. */
  #inTheWay(kind: PinKind, name: string): LoaderError | undefined {
    const path = this.path(kind, name);
    if (lstatSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) return undefined;
    return new LoaderError(`cannot use ${path} as a pin: it is a directory`, { hint: `remove it: rmdir ${path}` });
  }

  /** Removes a pin; false if there was none. */
  unpin(kind: PinKind, name: string): boolean {
    return removeFile(this.path(kind, name));
  }

  /**
   * Detaches every link, then removes all pins of the owner, and the directory if nothing else is in it.
   * @returns the names of the removed pins
   */
  removeAll(): Record<PinKind, string[]> {
    const removed: Record<PinKind, string[]> = { links: [], programs: [], maps: [] };
    for (const kind of ["links", "programs", "maps"] as const) {
      for (const name of this.names(kind)) {
        if (kind === "links" ? this.removeLink(name) : this.unpin(kind, name)) removed[kind].push(name);
      }
    }
    this.removeIfEmpty();
    return removed;
  }

  /** Removes the directory if it has no pins. */
  removeIfEmpty(): void {
    this.removeTemporary();
    for (const kind of KINDS) {
      const directory = join(this.directory, kind);
      if (existsSync(directory) && readdirSync(directory).length > 0) return;
    }
    for (const kind of KINDS) if (existsSync(join(this.directory, kind))) rmdirSync(join(this.directory, kind));
    removeFile(join(this.directory, OWNER));
    rmdirSync(this.directory);
  }

  /**
   * Detaches a link and removes its pin. Detaching (Linux 5.9) also covers a link that another process holds;
   * without it such a link would stay attached.
   * @returns false if there was no such pin
   * @throws {BpfError}
   */
  removeLink(name: string): boolean {
    const link = this.open("links", name);
    if (link === undefined) return false;
    try {
      this.#kernel.detachLink(link);
    } catch (error) {
      // The kernel lacks the command, or the cgroup's removal detached the link: only the pin remains.
      if (!(error instanceof BpfError)) throw error;
    } finally {
      link.close();
    }
    return this.unpin("links", name);
  }

  #with<T>(kind: PinKind, name: string, use: (fd: Fd) => T): T {
    const fd = this.open(kind, name);
    if (fd === undefined)
      throw new LoaderError(`cannot open ${this.path(kind, name)}: nothing is pinned there`, { hint: "is it loaded?" });
    try {
      return use(fd);
    } finally {
      fd.close();
    }
  }
}

/** Prefix of temporary pins during a replacement; no object's name begins with it. */
const TEMPORARY = "~";

/** The sticky bit: see the head of this file. */
const MARK = 0o1000;

const isMarked = (mode: number): boolean => (mode & MARK) !== 0;

function mark(path: string): void {
  const { mode } = lstatSync(path);
  if (!isMarked(mode)) chmodSync(path, (mode & 0o777) | MARK);
}

/** @throws {LoaderError} if another user can write to the directory, a folder of it, or one above it */
function requireAllTrusted(path: string): void {
  for (const part of [path, ...KINDS.map((kind) => join(path, kind))]) if (existsSync(part)) requireTrusted(part, path);
}

function isBpf(path: string, kernel: Kernel): boolean {
  return existsSync(path) && kernel.isOnFileSystem(path, "bpf");
}

function isLink(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

function removeFile(path: string): boolean {
  try {
    unlinkSync(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
}

/** @returns the nearest existing directory of the path */
function checkPlace(path: string, kernel: Kernel): string {
  let existing = path;
  while (!existsSync(existing)) existing = dirname(existing);
  if (!lstatSync(existing).isDirectory())
    throw new LoaderError(`cannot use pin directory ${path}: ${existing} is not a directory`);
  if (!isBpf(existing, kernel))
    throw new LoaderError(`cannot use pin directory ${path}: it is not on a BPF file system`, {
      hint: `choose a directory below ${BPF_FILE_SYSTEM}, or mount one: mount -t bpf -o mode=0700 bpf DIRECTORY`,
    });
  const dotted = path
    .slice(existing.length)
    .split("/")
    .find((name) => name.includes("."));
  if (dotted === undefined) return existing;
  throw new LoaderError(`cannot make pin directory ${path}: a BPF file system takes no name with a dot`, {
    hint: `write ${dotted.replaceAll(".", "-")} instead of ${dotted}`,
  });
}

function checkOwner(path: string, owner: string): void {
  const others = readdirSync(path).filter((name) => name !== OWNER && !(KINDS as readonly string[]).includes(name));
  const marker = isLink(join(path, OWNER)) ? readlinkSync(join(path, OWNER)) : undefined;
  const hint = "choose another directory for the pins";
  if (marker !== undefined && marker !== owner)
    throw new LoaderError(`cannot use pin directory ${path}: it belongs to ${marker}, not to ${owner}`, { hint });
  if (others.length > 0)
    throw new LoaderError(
      `cannot use pin directory ${path}: it is used by something else: it holds ${others.slice(0, 3).join(", ")}`,
      { hint },
    );
  if (marker === undefined && readdirSync(path).length > 0) {
    throw new LoaderError(`cannot use pin directory ${path}: it is not empty and names no owner`, { hint });
  }
}
