/** Programs attached to cgroups. */
import { constants, openSync } from "node:fs";
import type { AttachType } from "../types/index.ts";
import { bpf, tryBpf } from "./bpf.ts";
import { programAttachAttr, queryAttr } from "./bpf-attr.ts";
import { BpfError } from "./bpf-error.ts";
import { Errno } from "./errno.ts";
import { Fd } from "./fd.ts";
import { addressOf } from "./ffi.ts";

/**
 * Opens a directory, such as a cgroup to attach to.
 * @throws {Error} from `fs`, with `code`: ENOENT, ENOTDIR, EACCES
 */
export function openDirectory(path: string): Fd {
  return new Fd(openSync(path, constants.O_RDONLY | constants.O_DIRECTORY));
}

/** `BPF_F_QUERY_EFFECTIVE`. */
const QUERY_EFFECTIVE = 1;

export interface AttachedPrograms {
  /** In the order they run. */
  readonly programIds: readonly number[];
  /** `BPF_F_ALLOW_OVERRIDE` 1, `BPF_F_ALLOW_MULTI` 2; links use the latter. */
  readonly attachFlags: number;
}

/**
 * Lists the programs attached to a cgroup's hook, through links or directly (`BPF_PROG_QUERY`).
 * @param options `effective` adds the programs inherited from the cgroups above
 * @throws {BpfError} EINVAL if the kernel lacks this hook
 */
export function attachedPrograms(
  cgroup: Fd,
  attachType: AttachType,
  options: { effective?: boolean } = {},
): AttachedPrograms {
  for (let room = 64; ; room *= 2) {
    const ids = new Uint32Array(room);
    const bytes = new Uint8Array(ids.buffer);
    const attr = queryAttr.create({
      target_fd: cgroup.number,
      attach_type: attachType,
      query_flags: options.effective ? QUERY_EFFECTIVE : 0,
      prog_ids: addressOf(bytes),
      prog_cnt: room,
    });
    const { result, errno } = tryBpf("BPF_PROG_QUERY", attr, [bytes]);
    if (result >= 0) return { programIds: [...ids.subarray(0, attr.prog_cnt)], attachFlags: attr.attach_flags };
    if (errno !== Errno.ENOSPC) throw new BpfError("BPF_PROG_QUERY", `cgroup (descriptor ${cgroup.number})`, errno);
  }
}

/** `BPF_F_ALLOW_MULTI`: allows other programs beside this one. */
const ALLOW_MULTI = 2;

/**
 * Attaches a program beside others, without a link (`BPF_PROG_ATTACH`). It stays attached until it is detached
 * or the
 * cgroup is removed, even if this process ends.
 * @throws {BpfError}
 */
export function attachProgram(cgroup: Fd, program: Fd, attachType: AttachType): void {
  const attr = programAttachAttr.create({
    target_fd: cgroup.number,
    attach_bpf_fd: program.number,
    attach_type: attachType,
    attach_flags: ALLOW_MULTI,
  });
  bpf("BPF_PROG_ATTACH", attr, `program (descriptor ${program.number})`);
}

/**
 * Reverses `attachProgram` (`BPF_PROG_DETACH`).
 * @throws {BpfError} ENOENT if the program is not attached there
 */
export function detachProgram(cgroup: Fd, program: Fd, attachType: AttachType): void {
  const attr = programAttachAttr.create({
    target_fd: cgroup.number,
    attach_bpf_fd: program.number,
    attach_type: attachType,
  });
  bpf("BPF_PROG_DETACH", attr, `program (descriptor ${program.number})`);
}
