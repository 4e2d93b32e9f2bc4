import { networkInterfaces } from "node:os";

/**
 * The addresses of this thread's network namespace, its IPv4 and IPv6 loopback
 * addresses among them. Link-local IPv6 addresses are left out: they mean
 * nothing without an interface.
 *
 * @example
 * ```ts
 * import { expandServices, hostAddresses } from "tsbpf/lb";
 *
 * const web = { name: "web", protocol: "tcp", nodePort: 30080, backends: [] } as const;
 * expandServices({ services: [web], node: "a", options: { maglevTableSize: 1021 } }, hostAddresses());
 * ```
 */
export function hostAddresses(): string[] {
  const found = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .map(({ address }) => address);
  return [...new Set(["127.0.0.1", "::1", ...found])].filter((address) => !isLinkLocal(address));
}

function isLinkLocal(address: string): boolean {
  return /^fe[89ab]/i.test(address);
}
