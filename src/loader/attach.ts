import { statSync } from "node:fs";
import type { Fd, Kernel } from "../kernel/index.ts";
import type { AttachType } from "../types/index.ts";
import type { Collection, LoadedProgram } from "./collection.ts";
import { LoaderError } from "./error.ts";
import type { PinDirectory, PinKind } from "./pins.ts";
import { openCgroup } from "./preconditions.ts";
import { Undo } from "./undo.ts";

export interface AttachOptions {
  /** A cgroup v2 directory: its processes, and those of the cgroups below, meet the programs. */
  readonly cgroup: string;
  /** Pins programs, maps and links here, so that they outlive this process; absent, they go when the result is closed. */
  readonly pins?: PinDirectory | undefined;
}

/** A program that is attached. */
export interface Attachment {
  readonly program: LoadedProgram;
  readonly link: Fd;
  /** How it came about: a new link, or the program of one that was there replaced. */
  readonly how: "attached" | "replaced";
}

export interface Attached {
  readonly attachments: readonly Attachment[];
  /** Names of links that an earlier version had pinned, and this one has not: they were detached. */
  readonly detached: readonly string[];
  /** Closes the links' descriptors: what is not pinned is detached. */
  close(): void;
  [Symbol.dispose](): void;
}

/**
 * Attaches every program of a collection to a cgroup. A link that is pinned
 * under the program's name is not made anew: its program is replaced in one
 * step, so that no call goes past it. Everything or nothing: where one cannot
 * be attached, those before it are as they were.
 *
 * @throws {LoaderError} where the cgroup is none
 * @throws {BpfError} where the kernel refuses
 */
export function attach(collection: Collection, { cgroup, pins }: AttachOptions): Attached {
  const { kernel } = collection;
  const target = openCgroup(cgroup, kernel);
  try {
    return Undo.run((undo) => {
      if (pins) pinMaps(collection, pins, undo);
      const cgroupId = statSync(cgroup, { bigint: true }).ino;
      const attachments = [...collection.programs.values()].map((program): Attachment => {
        const attachType = hookOf(program);
        const found = pins && pinnedLink(pins, program, { cgroupId, attachType }, kernel);
        if (found) {
          undo.add(() => found.link.close());
          replaceProgram(found, program, kernel, undo);
        }
        const link = found?.link ?? newLink(program, target, attachType, kernel, undo);
        if (pins) {
          if (!found) pinAtomically(pins, "links", program.program.name, link, undo);
          pinAtomically(pins, "programs", program.program.name, program.fd, undo);
        }
        return { program, link, how: found ? "replaced" : "attached" };
      });
      const detached = pins ? removeObsolete(collection, pins) : [];
      const close = () => attachments.forEach(({ link }) => link.close());
      return { attachments, detached, close, [Symbol.dispose]: close };
    });
  } finally {
    target.close();
  }
}

function hookOf({ program }: LoadedProgram): AttachType {
  if (program.expectedAttachType === undefined) {
    throw new LoaderError(`program ${program.name} does not say which hook it is for (expectedAttachType)`);
  }
  return program.expectedAttachType;
}

function newLink(program: LoadedProgram, target: Fd, attachType: AttachType, kernel: Kernel, undo: Undo): Fd {
  const link = kernel.createLink({ program: program.fd, target, attachType, name: program.program.name });
  undo.add(() => link.close());
  return link;
}

interface FoundLink {
  readonly link: Fd;
  /** Id of the program that it runs. */
  readonly programId: number;
}

/** The link that an earlier load has pinned, if it is on this cgroup and hook still. */
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

function replaceProgram({ link, programId }: FoundLink, program: LoadedProgram, kernel: Kernel, undo: Undo): void {
  const old = kernel.openById("program", programId);
  undo.afterwards(() => old?.close());
  kernel.updateLink(link, program.fd, old);
  undo.add(() => {
    if (old) kernel.updateLink(link, old, program.fd);
  });
}

function pinMaps(collection: Collection, pins: PinDirectory, undo: Undo): void {
  for (const [name, { fd, reused }] of collection.maps) {
    if (!reused) pinAtomically(pins, "maps", name, fd, undo);
  }
}

/** Gives `object` the name, and has `undo` give it back to who had it before. */
function pinAtomically(pins: PinDirectory, kind: PinKind, name: string, object: Fd, undo: Undo): void {
  const before = pins.open(kind, name);
  undo.afterwards(() => before?.close());
  pins.replace(kind, name, object);
  undo.add(() => {
    if (before) pins.replace(kind, name, before);
    else pins.unpin(kind, name);
  });
}

/** What an earlier version had and this one has not. */
function removeObsolete(collection: Collection, pins: PinDirectory): string[] {
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
