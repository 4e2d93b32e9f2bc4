/** Whose sockets are left alone: from what a configuration names to what the kernel calls it. */
import { existsSync, realpathSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { BpfError, linux, type Kernel } from "../../kernel/index.ts";
import { cgroupRoot } from "../../loader/index.ts";
import type { OptOutConfig } from "../sources/file/index.ts";
import { LoadBalancerError } from "../model/error.ts";
import type { NamespaceReader } from "./namespaces.ts";

/** A cgroup as programs see it. */
export interface CgroupPlace {
  /** Its directory's inode number. */
  readonly id: bigint;
  /** How far below the root of the hierarchy it lies; the root itself: 0. */
  readonly level: number;
}

/**
 * Finds cgroups by their directories.
 * @param paths below where cgroup v2 is mounted, or absolute
 * @throws {LoadBalancerError} where one is not there, or none
 */
function findCgroups(paths: readonly string[], kernel: Kernel = linux): CgroupPlace[] {
  if (paths.length === 0) return [];
  const root = cgroupRoot(kernel);
  // Every cgroup has this file but the root, of which levels are counted (cgroups(7)).
  if (existsSync(join(root, "cgroup.type"))) {
    throw new LoadBalancerError(
      `optOut.cgroups: the cgroup v2 hierarchy is not to be seen up to its root: ${root} is a cgroup below it`,
      {
        hint: "nothing was changed; run the command in the host's cgroup namespace, where cgroups' places below the root are known",
      },
    );
  }
  return paths.map((path) => {
    const refused = (why: string) =>
      new LoadBalancerError(`optOut.cgroups: ${path} ${why}`, {
        hint: `nothing was changed; name a directory below ${root}`,
      });
    const directory = path.startsWith("/") && !existsSync(join(root, path)) ? path : join(root, path);
    if (!existsSync(directory)) throw refused("is not there");
    const real = realpathSync(directory);
    const below = relative(realpathSync(root), real);
    if (below.startsWith("..") || below.startsWith("/")) throw refused("is not in the cgroup v2 hierarchy");
    const found = statSync(real, { bigint: true });
    if (!found.isDirectory()) throw refused("is no directory");
    return { id: found.ino, level: below === "" ? 0 : below.split("/").length };
  });
}

/** Where `ip netns` keeps its names. */
const NAMED = ["/run/netns", "/var/run/netns"];

/**
 * Finds network namespaces' numbers.
 * @param names as `ip netns` has them, or absolute paths
 * @throws {LoadBalancerError} where one is not there, or none
 */
function findNamespaces(names: readonly string[], reader: NamespaceReader): bigint[] {
  return names.map((name) => {
    const places = name.startsWith("/") ? [name] : NAMED.map((directory) => join(directory, name));
    const path = places.find((place) => existsSync(place));
    const refused = (why: string, cause?: unknown) =>
      new LoadBalancerError(`optOut.networkNamespaces: ${name} ${why}`, {
        hint: "nothing was changed; name one that ip netns list shows, or a file such as /proc/PID/ns/net",
        cause,
      });
    if (path === undefined)
      throw refused(name.startsWith("/") ? "is not there" : `is not there: there is no ${places[0]}`);
    try {
      return reader.cookie(path);
    } catch (error) {
      if (error instanceof BpfError && error.code === "EINVAL") throw refused("is no network namespace", error);
      throw error;
    }
  });
}

/** What programs and maps need to know of them. */
export interface OptOut {
  readonly namespaces: readonly bigint[];
  readonly cgroups: readonly CgroupPlace[];
}

/** @throws {LoadBalancerError} where one is not there */
export function findOptOut({ cgroups, networkNamespaces }: OptOutConfig, reader: NamespaceReader): OptOut {
  return { cgroups: findCgroups(cgroups), namespaces: findNamespaces(networkNamespaces, reader) };
}
