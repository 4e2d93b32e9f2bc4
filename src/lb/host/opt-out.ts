/** Finds the cgroups and network namespaces that opt out, by the names that users give them. */
import { existsSync, realpathSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { BpfError, linux, type Kernel } from "../../kernel/index.ts";
import { cgroupRoot } from "../../loader/index.ts";
import { LoadBalancerError, type CgroupPlace } from "../model/index.ts";
import type { NamespaceReader } from "./namespaces.ts";

/**
 * Finds cgroups by their directories.
 * @param paths absolute, or relative to the cgroup v2 mount
 * @throws {LoadBalancerError} if one does not exist or is not a cgroup
 */
export function findCgroups(paths: readonly string[], kernel: Kernel = linux): CgroupPlace[] {
  if (paths.length === 0) return [];
  const root = cgroupRoot(kernel);
  // Every cgroup but the root has this file (cgroups(7)). Levels are counted from the root.
  if (existsSync(join(root, "cgroup.type"))) {
    throw new LoadBalancerError(
      "optOut.cgroups: cannot count cgroup levels: the root of the cgroup v2 hierarchy is not visible, " +
        `${root} is a cgroup below it`,
      {
        hint: "nothing was changed; run the command in the host's cgroup namespace",
      },
    );
  }
  return paths.map((path) => {
    const refused = (why: string) =>
      new LoadBalancerError(`optOut.cgroups: ${path} ${why}`, {
        hint: `nothing was changed; name a directory below ${root}`,
      });
    const directory = path.startsWith("/") && !existsSync(join(root, path)) ? path : join(root, path);
    if (!existsSync(directory)) throw refused("does not exist");
    const real = realpathSync(directory);
    const below = relative(realpathSync(root), real);
    if (below.startsWith("..") || below.startsWith("/")) throw refused("is not in the cgroup v2 hierarchy");
    const found = statSync(real, { bigint: true });
    if (!found.isDirectory()) throw refused("is not a directory");
    return { id: found.ino, level: below === "" ? 0 : below.split("/").length };
  });
}

/** Where `ip netns` keeps named namespaces. */
const NAMED = ["/run/netns", "/var/run/netns"];

/**
 * Finds the cookies of network namespaces.
 * @param names as `ip netns` uses them, or absolute paths
 * @throws {LoadBalancerError} if one does not exist or is not a network namespace
 */
export function findNamespaces(names: readonly string[], reader: NamespaceReader): bigint[] {
  return names.map((name) => {
    const places = name.startsWith("/") ? [name] : NAMED.map((directory) => join(directory, name));
    const path = places.find((place) => existsSync(place));
    const refused = (why: string, cause?: unknown) =>
      new LoadBalancerError(`optOut.networkNamespaces: ${name} ${why}`, {
        hint: "nothing was changed; name one that ip netns list shows, or a file such as /proc/PID/ns/net",
        cause,
      });
    if (path === undefined)
      throw refused(name.startsWith("/") ? "does not exist" : `does not exist: there is no ${places[0]}`);
    try {
      return reader.cookie(path);
    } catch (error) {
      if (error instanceof BpfError && error.code === "EINVAL") throw refused("is not a network namespace", error);
      throw error;
    }
  });
}
