/** Links: attachments of a program that are kernel objects and can be pinned. */
import type { AttachType } from "../types/index.ts";
import { bpf } from "./bpf.ts";
import { linkCreateAttr, linkDetachAttr, linkUpdateAttr } from "./bpf-attr.ts";
import { Fd } from "./fd.ts";

/** `BPF_F_REPLACE` of a link update: only if the link still runs the expected program. */
const REPLACE = 1 << 2;

export interface LinkCreate {
  readonly program: Fd;
  /** An open cgroup v2 directory; for XDP and TCX, the index of a network device. */
  readonly target: Fd | number;
  readonly attachType: AttachType;
  readonly flags?: number;
  /** Names the link in errors. */
  readonly name?: string;
}

/**
 * Attaches a program (`BPF_LINK_CREATE`; cgroup links need Linux 5.7). It stays attached until the last
 * descriptor and pin of the link is gone.
 * @throws {BpfError}
 */
export function createLink(link: LinkCreate): Fd {
  const attr = linkCreateAttr.create({
    prog_fd: link.program.number,
    target_fd: typeof link.target === "number" ? link.target : link.target.number,
    attach_type: link.attachType,
    flags: link.flags ?? 0,
  });
  return new Fd(bpf("BPF_LINK_CREATE", attr, `link ${link.name ?? `of program descriptor ${link.program.number}`}`));
}

/**
 * Replaces a link's program atomically: every packet or call runs either the old program or the new one
 * (`BPF_LINK_UPDATE`).
 * @param expected if given, the update fails unless the link runs this program
 * @throws {BpfError} EPERM if the link runs another program than `expected`
 */
export function updateLink(link: Fd, program: Fd, expected?: Fd): void {
  const attr = linkUpdateAttr.create({
    link_fd: link.number,
    new_prog_fd: program.number,
    ...(expected && { flags: REPLACE, old_prog_fd: expected.number }),
  });
  bpf("BPF_LINK_UPDATE", attr, `link (descriptor ${link.number})`);
}

/**
 * Detaches the program; the link and its pins stay (`BPF_LINK_DETACH`, Linux 5.9).
 * @throws {BpfError}
 */
export function detachLink(link: Fd): void {
  bpf("BPF_LINK_DETACH", linkDetachAttr.create({ link_fd: link.number }), `link (descriptor ${link.number})`);
}
