/** A private network: nothing that a case sends leaves it. */
import { execFileSync } from "node:child_process";
import { syscall } from "../../src/kernel/index.ts";

/** unshare(2), by architecture. */
const unshareNumber: Readonly<Partial<Record<NodeJS.Architecture, number>>> = { x64: 272, arm64: 97 };
const CLONE_NEWNET = 0x4000_0000;

/** Addresses of its loopback device, from documentation ranges (RFC 5737, RFC 3849). */
export const addresses = {
  backend4: "192.0.2.1",
  otherBackend4: "192.0.2.2",
  client4: "192.0.2.10",
  backend6: "2001:db8::1",
  otherBackend6: "2001:db8::2",
  client6: "2001:db8::10",
} as const;

/** Addresses without a device or route: programs have to translate them. */
export const services = {
  service4: "198.51.100.1",
  otherService4: "198.51.100.2",
  service6: "2001:db8:1::1",
  otherService6: "2001:db8:1::2",
} as const;

let entered = false;

/**
 * Moves this thread into a new network namespace with loopback only, once. Sockets created by later system
 * calls are in it, and child processes start in it.
 */
export function enterPrivateNetwork(): void {
  if (entered) return;
  const number = unshareNumber[process.arch];
  if (number === undefined) throw new Error(`cannot call unshare: its number is unknown for ${process.arch}`);
  const { result, errno } = syscall(number, CLONE_NEWNET);
  if (result < 0) throw new Error(`unshare(CLONE_NEWNET) failed with error ${errno}: it needs root`);
  entered = true;
  const ip = (...args: string[]) => execFileSync("ip", args, { stdio: ["ignore", "ignore", "pipe"] });
  ip("link", "set", "lo", "up");
  for (const address of Object.values(addresses)) {
    const six = address.includes(":");
    // Without duplicate address detection, which delays the use of an address by a second.
    ip("address", "add", `${address}/${six ? 128 : 32}`, "dev", "lo", ...(six ? ["nodad"] : []));
  }
}
