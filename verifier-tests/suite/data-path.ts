/** The load balancer's programs for the sockets of a test cgroup, with maps filled by the case. */
import { maps4, maps6 } from "../../programs/index.ts";
import { DataPath } from "../../programs/testing/index.ts";
import { attach, load } from "../../src/loader/index.ts";
import { inTestCgroup, type TestCgroup } from "./cgroup.ts";
import { configurations, fullPrograms } from "./configurations.ts";

/** Sizes that are quick to create. */
const MAX_ENTRIES = 1024;

/** Runs `use` with the programs attached to a new cgroup. */
export function withDataPath<T>(use: (dataPath: DataPath, cgroup: TestCgroup) => T): Promise<T> {
  return inTestCgroup(async (cgroup) => {
    const programs = await fullPrograms();
    const large = programs.flatMap(({ maps }) => maps).filter((map) => map.maxEntries > MAX_ENTRIES);
    using collection = load(programs, { maxEntries: Object.fromEntries(large.map(({ name }) => [name, MAX_ENTRIES])) });
    const attached = attach(collection, { cgroup: cgroup.path });
    try {
      // The sockets belong to this process, in the network namespace that it has entered.
      return use(
        new DataPath(
          collection,
          [maps4, maps6],
          { cgroup: cgroup.path, networkNamespace: "" },
          configurations["full"]!,
        ),
        cgroup,
      );
    } finally {
      attached.close();
    }
  });
}
