import { mapInfo, objectIds, openById, programInfo, type Fd } from "../kernel/index.ts";

/**
 * The sorted names, with repetitions, of the kernel's programs and maps that match. To check for leftovers, use
 * names unique to the test, since others may load programs at the same time.
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
