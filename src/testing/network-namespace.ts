import { execFileSync } from "node:child_process";

let made = 0;

/**
 * Runs `work` with the name of a new, isolated network namespace, then removes it. Its loopback interface is up
 * and has the given addresses in addition to its own.
 * @param addresses IPv4 or IPv6, without prefix length
 */
export async function withNetworkNamespace<T>(
  addresses: readonly string[],
  work: (name: string) => T | Promise<T>,
): Promise<T> {
  const name = `tsbpf-test-${process.pid}-${made++}`;
  const ip = (...args: string[]) => execFileSync("ip", args, { stdio: ["ignore", "ignore", "pipe"] });
  ip("netns", "add", name);
  try {
    ip("-n", name, "link", "set", "lo", "up");
    for (const address of addresses) {
      // Without duplicate address detection, which delays the use of an IPv6 address by a second.
      const options = address.includes(":") ? ["nodad"] : [];
      ip("-n", name, "address", "add", `${address}/${address.includes(":") ? 128 : 32}`, "dev", "lo", ...options);
    }
    return await work(name);
  } finally {
    ip("netns", "delete", name);
  }
}
