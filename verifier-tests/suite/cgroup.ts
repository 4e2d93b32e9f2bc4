/** A cgroup per case, and sockets in it. */
import { mkdirSync, rmdirSync } from "node:fs";
import { attachProgram, bpf, createLink, openDirectory, programAttachAttr, type Fd } from "../../src/kernel/index.ts";
import { ownCgroup } from "../../src/lb/index.ts";
import { enterCgroup, withCgroup } from "../../src/testing/index.ts";
import type { Item } from "../../src/asm/index.ts";
import type { Hook } from "./hooks.ts";
import { load } from "./load.ts";
import { enterPrivateNetwork } from "./network.ts";

/** A cgroup to attach programs to; closes everything it attached. */
export class TestCgroup {
  readonly path: string;
  readonly fd: Fd;
  readonly #held: Fd[] = [];

  constructor(path: string) {
    this.path = path;
    this.fd = openDirectory(path);
  }

  /** Loads a program and attaches it by a link, until the case ends. */
  attach(hook: Hook, items: readonly Item[]): Fd {
    return this.link(hook, this.load(hook, items));
  }

  /** Loads a program, until the case ends. */
  load(hook: Hook, items: readonly Item[]): Fd {
    return this.keep(load(hook, items));
  }

  /** Attaches a loaded program by a link, until the case ends. */
  link(hook: Hook, program: Fd): Fd {
    return this.keep(createLink({ program, target: this.fd, attachType: hook.attachType, name: hook.name }));
  }

  /**
   * Attaches a loaded program without a link (`BPF_PROG_ATTACH`), with the given flags, or beside others by
   * default.
   */
  attachUnlinked(hook: Hook, program: Fd, flags?: number): void {
    if (flags === undefined) return attachProgram(this.fd, program, hook.attachType);
    bpf(
      "BPF_PROG_ATTACH",
      programAttachAttr.create({
        target_fd: this.fd.number,
        attach_bpf_fd: program.number,
        attach_type: hook.attachType,
        attach_flags: flags,
      }),
      `program (descriptor ${program.number})`,
    );
  }

  keep(fd: Fd): Fd {
    this.#held.push(fd);
    return fd;
  }

  /** Runs `action` as a process of this cgroup: its new sockets belong to the cgroup. */
  inside<T>(action: () => T): T {
    const before = ownCgroup();
    enterCgroup(this.path);
    try {
      return action();
    } finally {
      enterCgroup(before);
    }
  }

  release(): void {
    for (const fd of this.#held) fd.close();
    this.fd.close();
  }
}

/** Runs `use` with a new cgroup on the suite's private network, then removes the cgroup and its programs. */
export async function inTestCgroup<T>(use: (cgroup: TestCgroup) => T | Promise<T>): Promise<T> {
  enterPrivateNetwork();
  return withCgroup(async (path) => {
    const cgroup = new TestCgroup(path);
    try {
      return await use(cgroup);
    } finally {
      cgroup.release();
    }
  });
}

/** Runs `use` with a child cgroup. */
export function withChild<T>(cgroup: TestCgroup, use: (child: TestCgroup) => T): T {
  const path = `${cgroup.path}/child`;
  mkdirSync(path);
  const child = new TestCgroup(path);
  try {
    return use(child);
  } finally {
    child.release();
    rmdirSync(path);
  }
}
