/** Ports that bind(2) to port 0 and connect(2) never choose: ip-sysctl.rst, `ip_local_reserved_ports`. */
import { readFileSync, writeFileSync } from "node:fs";
import { networkNamespaces } from "../../kernel/index.ts";
import { inNamespace, NamespaceReader } from "./namespaces.ts";

const FILE = "/proc/sys/net/ipv4/ip_local_reserved_ports";

/** The ports in the kernel's text: `8053,30000-30002`. */
export function parsePorts(text: string): Set<number> {
  const ranges = text.trim().split(",").filter(Boolean);
  return new Set(
    ranges.flatMap((range) => {
      const [first, last = first] = range.split("-").map(Number) as [number, number?];
      return Array.from({ length: last! - first + 1 }, (_, i) => first + i);
    }),
  );
}

/** The kernel's text for ports, consecutive ones as ranges. */
export function portsText(ports: Iterable<number>): string {
  const ranges: [first: number, last: number][] = [];
  for (const port of [...ports].sort((a, b) => a - b)) {
    const range = ranges.at(-1);
    if (range?.[1] === port - 1) range[1] = port;
    else ranges.push([port, port]);
  }
  return ranges.map(([first, last]) => (first === last ? String(first) : `${first}-${last}`)).join(",");
}

/**
 * The reserved ports of a network namespace.
 * @param namespace a file of it; absent: this process's
 * @throws {Error} from `fs`, with `code`
 */
export function reservedPorts(namespace: string | undefined): Set<number> {
  return inNamespace(namespace, () => parsePorts(readFileSync(FILE, "utf8")));
}

/**
 * Reserves some ports and releases others; all others stay as they are.
 * @throws {Error} from `fs`, with `code`: EROFS or EACCES where /proc/sys may not be written
 */
export function changeReservedPorts(
  namespace: string | undefined,
  { reserve = [], release = [] }: { readonly reserve?: Iterable<number>; readonly release?: Iterable<number> },
): void {
  inNamespace(namespace, () => {
    const before = parsePorts(readFileSync(FILE, "utf8"));
    const after = new Set(before);
    for (const port of release) after.delete(port);
    for (const port of reserve) after.add(port);
    // Without the line break, no port would be an empty write, which changes nothing.
    if (portsText(after) !== portsText(before)) writeFileSync(FILE, `${portsText(after)}\n`);
  });
}

/**
 * A file of the network namespace with this cookie. This process's own is tried first.
 * @returns undefined if there is none any more, or this process cannot see it
 * @throws {BpfError} if a namespace may not be entered
 */
export function namespaceWithCookie(cookie: bigint): string | undefined {
  using reader = new NamespaceReader();
  const own = "/proc/thread-self/ns/net";
  return [own, ...networkNamespaces()].find((path) => {
    try {
      return reader.cookie(path) === cookie;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
      throw error;
    }
  });
}

/** The cookie of a network namespace. @param namespace a file of it; absent: this process's */
export function namespaceCookie(namespace: string | undefined): bigint {
  using reader = new NamespaceReader();
  return reader.cookie(namespace);
}
