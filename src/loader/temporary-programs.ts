import { BpfError, Errno, type Fd, type Kernel, type LinkInfo, type ProgramInfo } from "../kernel/index.ts";
import type { Collection } from "./collection.ts";
import { LoaderError } from "./error.ts";
import type { LoadedProgram } from "./loaded-program.ts";
import type { PinDirectory } from "./pins.ts";
import { Rollback } from "./rollback.ts";

/** Programs that temporarily replace others. */
export interface TemporaryPrograms {
  /** Whether every link is attached and still runs the program given here. @throws {BpfError} */
  inPlace(): boolean;
  /**
   * Restores each link's earlier program, unless somebody else has replaced it meanwhile. Afterwards the
   * temporary programs may be closed.
   * @throws {BpfError}
   */
  restore(): void;
}

interface Replaced {
  readonly link: Fd;
  readonly program: LoadedProgram;
  readonly before: Fd;
}

/**
 * Makes each pinned link run the collection's program of the same name, if there is one. Each program is
 * replaced atomically; if one step fails, all are restored. The pins of the replaced programs stay, so a later
 * process can restore them.
 *
 * @param isTemporary whether a program is a temporary one, left by a process that was killed; the pinned program
 * is restored in its place
 * @throws {LoaderError} if a link's cgroup is gone
 * @throws {BpfError} if the kernel refuses a step
 */
export function replaceTemporarily(
  collection: Collection,
  pins: PinDirectory,
  isTemporary: (program: ProgramInfo) => boolean,
): TemporaryPrograms {
  const { kernel } = collection;
  return Rollback.run((rollback) => {
    const keep = (fd: Fd | undefined): Fd | undefined => {
      if (fd) rollback.onFailure(() => fd.close());
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
          throw new LoaderError(`cannot replace the program of link ${name}: its cgroup is gone`, {
            hint: "load again",
          });
        const before = isTemporary(kernel.programInfo(current))
          ? (keep(pins.open("programs", name)) ?? current)
          : current;
        kernel.updateLink(link, program.fd, current);
        rollback.onFailure(() => kernel.updateLink(link, before, program.fd));
        if (before !== current) rollback.finally(() => current.close());
        return { link, program, before };
      });
    const programIds = new Map(replaced.map(({ program }) => [program, kernel.programInfo(program.fd).id]));
    return {
      inPlace: () =>
        replaced.every(
          ({ link, program }) =>
            isAttached(kernel.linkInfo(link)) && kernel.linkInfo(link).programId === programIds.get(program),
        ),
      restore() {
        for (const { link, program, before } of replaced) {
          restore(kernel, link, before, program.fd);
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

/** Leaves the link alone if it runs another program by now (EPERM) or is detached (ENOLINK). */
function restore(kernel: Kernel, link: Fd, before: Fd, program: Fd): void {
  try {
    kernel.updateLink(link, before, program);
  } catch (error) {
    if (!(error instanceof BpfError) || (error.errno !== Errno.EPERM && error.errno !== Errno.ENOLINK)) throw error;
  }
}
