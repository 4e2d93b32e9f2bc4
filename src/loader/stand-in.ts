import { BpfError, Errno, type Fd, type Kernel, type LinkInfo, type ProgramInfo } from "../kernel/index.ts";
import type { Collection, LoadedProgram } from "./collection.ts";
import { LoaderError } from "./error.ts";
import type { PinDirectory } from "./pins.ts";
import { Undo } from "./undo.ts";

/** Programs that run in other programs' place for a while. */
export interface StandIn {
  /** Whether every link still runs the program that it was given here, and is attached. @throws {BpfError} */
  inPlace(): boolean;
  /**
   * Gives each link back what it ran before, unless somebody has given it
   * something else meanwhile. What the links were given may be closed then.
   * @throws {BpfError}
   */
  putBack(): void;
}

interface Replaced {
  readonly link: Fd;
  readonly program: LoadedProgram;
  readonly before: Fd;
}

/**
 * Lets each pinned link run the collection's program of the same name, if it
 * has one, replaced in one step. Nothing is pinned: what is pinned as the link's
 * program is what belongs there. Everything or nothing.
 *
 * @param isStandIn whether a program is one that stood in for another when its process was killed: then the pinned one is put back in the end
 * @throws {LoaderError} where a link's cgroup is gone
 * @throws {BpfError} where the kernel refuses
 */
export function standIn(
  collection: Collection,
  pins: PinDirectory,
  isStandIn: (program: ProgramInfo) => boolean,
): StandIn {
  const { kernel } = collection;
  return Undo.run((undo) => {
    const keep = (fd: Fd | undefined): Fd | undefined => {
      if (fd) undo.add(() => fd.close());
      return fd;
    };
    const replaced = pins
      .names("links")
      .filter((name) => collection.programs.has(name))
      .map((name): Replaced => {
        const program = collection.programs.get(name)!;
        const link = keep(pins.open("links", name))!;
        const current = keep(kernel.openById("program", kernel.linkInfo(link).programId));
        if (current === undefined)
          throw new LoaderError(`link ${name} runs no program any more: its cgroup is gone`, { hint: "load again" });
        const before = isStandIn(kernel.programInfo(current))
          ? (keep(pins.open("programs", name)) ?? current)
          : current;
        kernel.updateLink(link, program.fd, current);
        undo.add(() => kernel.updateLink(link, before, program.fd));
        if (before !== current) undo.afterwards(() => current.close());
        return { link, program, before };
      });
    const programIds = new Map(replaced.map(({ program }) => [program, kernel.programInfo(program.fd).id]));
    return {
      inPlace: () =>
        replaced.every(
          ({ link, program }) =>
            isAttached(kernel.linkInfo(link)) && kernel.linkInfo(link).programId === programIds.get(program),
        ),
      putBack() {
        for (const { link, program, before } of replaced) {
          putBack(kernel, link, before, program.fd);
          link.close();
          before.close();
        }
      },
    };
  });
}

function isAttached({ cgroupId }: LinkInfo): boolean {
  return cgroupId !== 0n;
}

/** Not where the link runs another program by now (EPERM), or is detached (ENOLINK). */
function putBack(kernel: Kernel, link: Fd, before: Fd, program: Fd): void {
  try {
    kernel.updateLink(link, before, program);
  } catch (error) {
    if (!(error instanceof BpfError) || (error.errno !== Errno.EPERM && error.errno !== Errno.ENOLINK)) throw error;
  }
}
