import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cgroupRoot } from "../loader/index.ts";
import { eventually } from "./eventually.ts";

let made = 0;

/** Runs `work` with the path of a new, empty cgroup, then kills its processes and removes it. */
export async function withCgroup<T>(work: (cgroup: string) => T | Promise<T>): Promise<T> {
  const cgroup = join(cgroupRoot(), `tsbpf-test-${process.pid}-${made++}`);
  mkdirSync(cgroup);
  try {
    return await work(cgroup);
  } finally {
    await removeCgroup(cgroup);
  }
}

/** Kills the processes of a cgroup and removes it. */
export async function removeCgroup(cgroup: string): Promise<void> {
  await eventually(() => {
    for (const pid of readFileSync(join(cgroup, "cgroup.procs"), "utf8").split("\n")) {
      if (pid !== "") process.kill(Number(pid), "SIGKILL");
    }
    rmdirSync(cgroup);
  });
}

/** Moves a process into a cgroup. */
export function enterCgroup(cgroup: string, pid: number = process.pid): void {
  writeFileSync(join(cgroup, "cgroup.procs"), String(pid));
}
