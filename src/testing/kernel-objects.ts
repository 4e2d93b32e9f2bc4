import { mapInfo, objectIds, openById, programInfo, type Fd } from "../kernel/index.ts";

/**
 * Names of the programs and maps in the kernel that match, with repetitions,
 * sorted: whether something stays behind is asked by names that only one test
 * uses, since others may load programs at the same time.
 */
export function kernelObjects(name: RegExp): { programs: string[]; maps: string[] } {
  const names = (kind: "program" | "map", nameOf: (fd: Fd) => string) =>
    objectIds(kind)
      .flatMap((id) => {
        const fd = openById(kind, id);
        if (fd === undefined) return [];
        try {
          const found = nameOf(fd);
          return name.test(found) ? [found] : [];
        } finally {
          fd.close();
        }
      })
      .sort();
  return { programs: names("program", (fd) => programInfo(fd).name), maps: names("map", (fd) => mapInfo(fd).name) };
}
