import { statSync } from "node:fs";
import type { Fd, Kernel } from "../kernel/index.ts";
import { hookOf, type TargetKind } from "../hooks/index.ts";
import type { Program } from "../asm/index.ts";
import type { AttachType, Mistake } from "../types/index.ts";
import type { Collection } from "./collection.ts";
import { LoaderError } from "./error.ts";
import type { LoadedProgram } from "./loaded-program.ts";
import type { PinDirectory, PinKind } from "./pins.ts";
import { openCgroup } from "./preconditions.ts";
import { Rollback } from "./rollback.ts";

/** Where `attach` attaches programs, and whether it pins them. */
export interface AttachOptions {
  /** A cgroup v2 directory. The programs run for its processes and those of all cgroups below it. */
  readonly cgroup: string;
  /**
   * Pins programs, maps and links here, so that they outlive this process. Without it they end when the result
   * is closed.
   */
  readonly pins?: PinDirectory | undefined;
  /** Leaves pins that an earlier version made and this one lacks: `removeObsolete` removes them. Default: false. */
  readonly keepObsolete?: boolean | undefined;
}

/**
 * A collection whose programs attach to targets of kind `K`. Programs that do
 * not say what they attach to are checked when they are attached.
 */
export type CollectionFor<K extends TargetKind, T extends string> = Collection<T> &
  ([T] extends [K]
    ? unknown
    : string extends T
      ? unknown
      : Mistake<`these programs attach to ${T}, and the target is of kind ${K}`>);

/** An attached program. */
export interface Attachment {
  readonly program: LoadedProgram;
  readonly link: Fd;
  /** `attached` by a new link, or `replaced` the program of a pinned link. */
  readonly how: "attached" | "replaced";
}

/** Programs attached by one call of `attach`. */
export interface Attached {
  readonly attachments: readonly Attachment[];
  /** Names of links pinned by an earlier version and absent from this one; they were detached. */
  readonly detached: readonly string[];
  /** Closes the links' descriptors. Links that are not pinned are detached. */
  close(): void;
  [Symbol.dispose](): void;
}

/**
 * Attaches every program of a collection to a cgroup, by links, in the collection's order. A pinned link of the same
 * name is reused: its program is replaced atomically, so every call runs the old program or the new one. If one
 * program cannot be attached, all others are restored to their earlier state.
 *
 * @throws {LoaderError} if `cgroup` is not a cgroup v2 directory, or a program's hook is missing or not for cgroups
 * @throws {BpfError} if the kernel refuses a step
 * @example
 * ```ts
 * import { attach, cgroup, load, PROCEED } from "tsbpf";
 *
 * const pass = cgroup.connect4("pass", () => PROCEED);
 * using loaded = load([pass]);
 * using attached = attach(loaded, { cgroup: "/sys/fs/cgroup" });
 * ```
 */
export function attach<T extends string>(
  collection: CollectionFor<"cgroup", T>,
  { cgroup, pins, keepObsolete = false }: AttachOptions,
): Attached {
  const { kernel } = collection;
  for (const { program } of collection.programs.values()) checkTarget(program, "cgroup");
  const target = openCgroup(cgroup, kernel);
  try {
    return Rollback.run((rollback) => {
      if (pins) pinMaps(collection, pins, rollback);
      const cgroupId = statSync(cgroup, { bigint: true }).ino;
      const attachments = [...collection.programs.values()].map((program): Attachment => {
        const attachType = attachTypeOf(program);
        const found = pins && pinnedLink(pins, program, { cgroupId, attachType }, kernel);
        if (found) {
          rollback.onFailure(() => found.link.close());
          replaceProgram(found, program, kernel, rollback);
        }
        const link = found?.link ?? newLink(program, target, attachType, kernel, rollback);
        if (pins) {
          if (!found) pinAtomically(pins, "links", program.program.name, link, rollback);
          pinAtomically(pins, "programs", program.program.name, program.fd, rollback);
        }
        return { program, link, how: found ? "replaced" : "attached" };
      });
      for (const [kind, used] of [
        ["maps", collection.maps],
        ["programs", collection.programs],
        ["links", collection.programs],
      ] as const)
        pins?.claim(kind, used.keys());
      const detached = pins && !keepObsolete ? removeObsolete(collection, pins) : [];
      const close = () => attachments.forEach(({ link }) => link.close());
      return { attachments, detached, close, [Symbol.dispose]: close };
    });
  } finally {
    target.close();
  }
}

/** @throws {LoaderError} where a program's hook is for targets of another kind */
function checkTarget(program: Program, wanted: TargetKind): void {
  const target = program.target ?? hookOf(program)?.target ?? wanted;
  if (target !== wanted)
    throw new LoaderError(
      `cannot attach program ${program.name} to a ${wanted}: hook ${program.section} is for targets of kind ${target}`,
    );
}

function attachTypeOf({ program }: LoadedProgram): AttachType {
  if (program.expectedAttachType === undefined) {
    throw new LoaderError(`cannot attach program ${program.name}: it does not name its hook (expectedAttachType)`, {
      hint: "declare the program with a hook that attaches to cgroups, such as cgroup.connect4",
    });
  }
  return program.expectedAttachType;
}

function newLink(program: LoadedProgram, target: Fd, attachType: AttachType, kernel: Kernel, rollback: Rollback): Fd {
  const link = kernel.createLink({ program: program.fd, target, attachType, name: program.program.name });
  rollback.onFailure(() => link.close());
  return link;
}

interface FoundLink {
  readonly link: Fd;
  /** Id of the link's program. */
  readonly programId: number;
}

/** The link pinned by an earlier load, if it is still on this cgroup and hook. */
function pinnedLink(
  pins: PinDirectory,
  { program }: LoadedProgram,
  wanted: { cgroupId: bigint; attachType: AttachType },
  kernel: Kernel,
): FoundLink | undefined {
  const link = pins.open("links", program.name);
  if (link === undefined) return undefined;
  let programId: number | undefined;
  try {
    const info = kernel.linkInfo(link);
    if (info.cgroupId === wanted.cgroupId && info.attachType === wanted.attachType) programId = info.programId;
  } finally {
    if (programId === undefined) link.close();
  }
  return programId === undefined ? undefined : { link, programId };
}

function replaceProgram(
  { link, programId }: FoundLink,
  program: LoadedProgram,
  kernel: Kernel,
  rollback: Rollback,
): void {
  const old = kernel.openById("program", programId);
  rollback.finally(() => old?.close());
  kernel.updateLink(link, program.fd, old);
  rollback.onFailure(() => {
    if (old) kernel.updateLink(link, old, program.fd);
  });
}

function pinMaps(collection: Collection, pins: PinDirectory, rollback: Rollback): void {
  for (const [name, { fd, reused }] of collection.maps) {
    if (!reused) pinAtomically(pins, "maps", name, fd, rollback);
  }
}

/** Pins `object` under the name; a rollback restores the earlier pin. */
function pinAtomically(pins: PinDirectory, kind: PinKind, name: string, object: Fd, rollback: Rollback): void {
  const before = pins.open(kind, name);
  rollback.finally(() => before?.close());
  pins.replace(kind, name, object);
  rollback.onFailure(() => {
    if (before) pins.replace(kind, name, before);
    else pins.unpin(kind, name);
  });
}

/**
 * Removes pins that an earlier version made and this collection lacks.
 * @returns the names of the detached links
 * @throws {BpfError}
 */
export function removeObsolete(collection: Collection, pins: PinDirectory): string[] {
  pins.removeTemporary();
  const current = (kind: "maps" | "programs") =>
    new Set([...collection[kind].keys()].map((name) => name.replaceAll(".", "_")));
  const programs = current("programs");
  const maps = current("maps");
  const detached = pins.names("links").filter((name) => !programs.has(name));
  for (const name of detached) pins.removeLink(name);
  for (const name of pins.names("programs")) if (!programs.has(name)) pins.unpin("programs", name);
  for (const name of pins.names("maps")) if (!maps.has(name)) pins.unpin("maps", name);
  return detached;
}
