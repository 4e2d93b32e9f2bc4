import { readFileSync } from "node:fs";

/** Bits of capability sets (linux/capability.h). */
export const Capability = { NET_ADMIN: 12, SYS_ADMIN: 21, PERFMON: 38, BPF: 39 } as const;

/** The effective capabilities, as a bit set, in the text of /proc/PID/status (proc(5)). */
export function effectiveCapabilities(status: string): bigint {
  const found = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1];
  return found === undefined ? 0n : BigInt(`0x${found}`);
}

/**
 * This process's effective capabilities, as a bit set: bit `Capability.BPF` is CAP_BPF.
 *
 * @example
 * ```ts
 * import { capabilities, Capability } from "tsbpf/kernel";
 *
 * const mayLoad = (capabilities() & (1n << BigInt(Capability.BPF))) !== 0n;
 * ```
 */
export function capabilities(): bigint {
  return effectiveCapabilities(readFileSync("/proc/self/status", "utf8"));
}
