/**
 * A directory of pins: what keeps programs, maps and links alive when no
 * process holds them, and how a later process takes them over.
 *
 *     DIRECTORY/maps/NAME  programs/NAME  links/NAME
 *     DIRECTORY/owner      a symbolic link whose target names whose it is
 */
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  symlinkSync,
  unlinkSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
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
import { openMap, type MapHandle } from "./typed-map.ts";

export type PinKind = "maps" | "programs" | "links";

const KINDS: readonly PinKind[] = ["maps", "programs", "links"];
const OWNER = "owner";
/** Where bpffs is by convention, and is mounted when it is not. */
const BPF_FILE_SYSTEM = "/sys/fs/bpf";

/** A link with the program that it runs. */
export interface PinnedLink {
  readonly name: string;
  readonly link: LinkInfo;
  /** Absent once the program is gone, which only happens to a link that is detached. */
  readonly program: ProgramInfo | undefined;
}

export class PinDirectory {
  readonly directory: string;
  readonly #kernel: Kernel;

  private constructor(directory: string, kernel: Kernel) {
    this.directory = directory;
    this.#kernel = kernel;
  }

  /**
   * Opens a directory of pins, and makes it if it is absent; mounts the BPF
   * file system at /sys/fs/bpf if the directory lies there and it is not.
   * @param owner whose it is: another's directory is refused
   * @throws {LoaderError} where it is not on a BPF file system, or somebody else's
   * @throws {BpfError} where mounting is refused
   */
  static create(directory: string, owner: string, kernel: Kernel = linux): PinDirectory {
    const path = resolve(directory);
    if ((path === BPF_FILE_SYSTEM || path.startsWith(`${BPF_FILE_SYSTEM}/`)) && !isBpf(BPF_FILE_SYSTEM, kernel)) {
      kernel.mountBpfFileSystem(BPF_FILE_SYSTEM);
    }
    checkPlace(path, kernel);
    const existed = existsSync(path);
    if (existed) checkOwner(path, owner);
    else mkdirSync(path, { recursive: true, mode: 0o700 });
    if (!isLink(join(path, OWNER))) symlinkSync(owner, join(path, OWNER));
    for (const kind of KINDS) mkdirSync(join(path, kind), { recursive: true, mode: 0o700 });
    return new PinDirectory(path, kernel);
  }

  /**
   * Opens a directory of pins that is there.
   * @returns undefined where there is none
   * @throws {LoaderError} where it is somebody else's
   */
  static open(directory: string, owner: string, kernel: Kernel = linux): PinDirectory | undefined {
    const path = resolve(directory);
    if (!existsSync(path)) return undefined;
    checkPlace(path, kernel);
    if (readdirSync(path).length === 0) return undefined;
    checkOwner(path, owner);
    return new PinDirectory(path, kernel);
  }

  /** Where something is pinned. The file system takes no dots in names. */
  path(kind: PinKind, name: string): string {
    return join(this.directory, kind, name.replaceAll(".", "_"));
  }

  /** What is pinned, by name. */
  names(kind: PinKind): string[] {
    const directory = join(this.directory, kind);
    return existsSync(directory)
      ? readdirSync(directory)
          .filter((name) => !name.startsWith(TEMPORARY))
          .sort()
      : [];
  }

  /**
   * Opens a map by its declaration.
   * @throws {LoaderError} where none is pinned, or one that differs
   */
  map<D extends MapDefinition>(definition: D): MapHandle<D> {
    const fd = this.openPinnedMap(definition.name);
    const path = this.path("maps", definition.name);
    if (fd === undefined)
      throw new LoaderError(`map ${definition.name}: none is pinned at ${path}`, { hint: "is it loaded?" });
    try {
      const info = this.#kernel.mapInfo(fd);
      checkPinnedMap(info, { ...definition, maxEntries: info.maxEntries }, path);
      return openMap(definition, fd, this.#kernel);
    } catch (error) {
      fd.close();
      throw error;
    }
  }

  /** The descriptor of a pinned map; undefined where there is none. @throws {BpfError} */
  openPinnedMap(name: string): Fd | undefined {
    return this.open("maps", name);
  }

  /** The descriptor of what is pinned; undefined where there is nothing. @throws {BpfError} */
  open(kind: PinKind, name: string): Fd | undefined {
    try {
      return this.#kernel.openPinned(this.path(kind, name));
    } catch (error) {
      if (error instanceof BpfError && error.errno === Errno.ENOENT) return undefined;
      throw error;
    }
  }

  /** What the kernel says of a pinned map. @throws {BpfError} @throws {LoaderError} where there is none */
  mapInfo(name: string): MapInfo {
    return this.#with("maps", name, (fd) => this.#kernel.mapInfo(fd));
  }

  /** @throws {BpfError} @throws {LoaderError} where there is none */
  programInfo(name: string): ProgramInfo {
    return this.#with("programs", name, (fd) => this.#kernel.programInfo(fd));
  }

  /** Every pinned link with what it runs. @throws {BpfError} */
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

  /** Gives something a name here. @throws {BpfError} EEXIST where the name is taken */
  pin(kind: PinKind, name: string, object: Fd): void {
    this.#kernel.pinObject(object, this.path(kind, name));
  }

  /** The same; what had the name before loses it in the same step. @throws {BpfError} */
  replace(kind: PinKind, name: string, object: Fd): void {
    const path = this.path(kind, name);
    const temporary = join(dirname(path), `${TEMPORARY}${name.replaceAll(".", "_")}`);
    removeFile(temporary);
    this.#kernel.pinObject(object, temporary);
    renameSync(temporary, path);
  }

  /** Takes a name away; whether it was there. */
  unpin(kind: PinKind, name: string): boolean {
    return removeFile(this.path(kind, name));
  }

  /**
   * Detaches every link, takes every pin away, and the directory.
   * @returns what was taken away, by name
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

  /** Takes the directory away if nothing is pinned in it. */
  removeIfEmpty(): void {
    for (const kind of KINDS) {
      const directory = join(this.directory, kind);
      if (!existsSync(directory)) continue;
      for (const name of readdirSync(directory)) if (name.startsWith(TEMPORARY)) removeFile(join(directory, name));
      if (readdirSync(directory).length > 0) return;
    }
    for (const kind of KINDS) if (existsSync(join(this.directory, kind))) rmdirSync(join(this.directory, kind));
    removeFile(join(this.directory, OWNER));
    rmdirSync(this.directory);
  }

  /**
   * Detaches a link and takes its name away; whether it was there. A link that
   * somebody else holds too would live on without its pin: Linux 5.9 and newer
   * detach it all the same.
   * @throws {BpfError}
   */
  removeLink(name: string): boolean {
    const link = this.open("links", name);
    if (link === undefined) return false;
    try {
      this.#kernel.detachLink(link);
    } catch (error) {
      // No such command, or detached by its cgroup's end: there is only the pin to take away.
      if (!(error instanceof BpfError)) throw error;
    } finally {
      link.close();
    }
    return this.unpin("links", name);
  }

  #with<T>(kind: PinKind, name: string, use: (fd: Fd) => T): T {
    const fd = this.open(kind, name);
    if (fd === undefined)
      throw new LoaderError(`nothing is pinned at ${this.path(kind, name)}`, { hint: "is it loaded?" });
    try {
      return use(fd);
    } finally {
      fd.close();
    }
  }
}

/** Begins the names of pins on their way to replacing others; no object's name begins so. */
const TEMPORARY = "~";

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

function checkPlace(path: string, kernel: Kernel): void {
  let existing = path;
  while (!existsSync(existing)) existing = dirname(existing);
  if (!lstatSync(existing).isDirectory()) throw new LoaderError(`pin directory ${path}: ${existing} is no directory`);
  if (isBpf(existing, kernel)) return;
  throw new LoaderError(`pin directory ${path}: it is not on a BPF file system`, {
    hint: `choose a directory below ${BPF_FILE_SYSTEM}, or mount one: mount -t bpf bpf DIRECTORY`,
  });
}

function checkOwner(path: string, owner: string): void {
  const others = readdirSync(path).filter((name) => name !== OWNER && !(KINDS as readonly string[]).includes(name));
  const marker = isLink(join(path, OWNER)) ? readlinkSync(join(path, OWNER)) : undefined;
  const hint = "choose another directory for the pins";
  if (marker !== undefined && marker !== owner)
    throw new LoaderError(`pin directory ${path} belongs to ${marker}, not to ${owner}`, { hint });
  if (others.length > 0)
    throw new LoaderError(
      `pin directory ${path} is used by something else: it holds ${others.slice(0, 3).join(", ")}`,
      { hint },
    );
  if (marker === undefined && readdirSync(path).length > 0) {
    throw new LoaderError(`pin directory ${path} is used by something else: it says not whose it is`, { hint });
  }
}
