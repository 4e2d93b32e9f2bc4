import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { AttachType, Collection, LoadedProgram } from "tsbpf";
import { writeObject } from "tsbpf/elf";
import { linux, openPinned } from "tsbpf/kernel";
import { runTool, withBpfFileSystem, withDirectory } from "../../src/testing/index.ts";
import type { Deploy } from "./data-path.ts";

/** bpftool's name for an attach type: `cgroup_inet4_connect` for CGROUP_INET4_CONNECT. */
function attachTypeName(type: AttachType | undefined): string {
  return Object.entries(AttachType)
    .find(([, number]) => number === type)![0]
    .toLowerCase();
}

/** Writes the programs to an object file that bpftool loads, pins and attaches, and opens the pins. */
export const deployByBpftool: Deploy = (programs, cgroup, work) =>
  withBpfFileSystem(async (pins) => {
    withDirectory((directory) => {
      const path = join(directory, "load-balancer.bpf.o");
      writeFileSync(path, writeObject(programs));
      runTool("bpftool", "prog", "loadall", path, join(pins, "programs"), "pinmaps", join(pins, "maps"));
    });
    const definitions = new Map(
      programs.flatMap(({ maps }) => maps.map((definition) => [definition.name, definition])),
    );
    using collection = new Collection(
      new Map(
        programs.map((program) => [
          program.name,
          new LoadedProgram(program, { fd: openPinned(join(pins, "programs", program.name)), log: "" }, linux),
        ]),
      ),
      new Map(
        [...definitions].map(([name, definition]) => [
          name,
          { definition, fd: openPinned(join(pins, "maps", name)), reused: true },
        ]),
      ),
      linux,
    );
    const bpftool = (action: "attach" | "detach", { name, expectedAttachType }: (typeof programs)[number]) =>
      runTool(
        "bpftool",
        "cgroup",
        action,
        cgroup,
        attachTypeName(expectedAttachType),
        "pinned",
        join(pins, "programs", name),
      );
    const attached: (typeof programs)[number][] = [];
    try {
      for (const program of programs) {
        bpftool("attach", program);
        attached.push(program);
      }
      return await work(collection);
    } finally {
      for (const program of attached) bpftool("detach", program);
    }
  });
