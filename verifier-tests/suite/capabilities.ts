/** Runs code with fewer capabilities than root. */
import { addressOf, syscall } from "../../src/kernel/index.ts";

/** capget(2) and capset(2), by architecture. */
const numbers: Readonly<Partial<Record<NodeJS.Architecture, { capget: number; capset: number }>>> = {
  x64: { capget: 125, capset: 126 },
  arm64: { capget: 90, capset: 91 },
};

const CAP_SYS_ADMIN = 21;
const CAP_PERFMON = 38;
/** `_LINUX_CAPABILITY_VERSION_3`: two words for each of the effective, permitted and inheritable sets. */
const VERSION = 0x2008_0522;

/**
 * Runs `action` with root's capabilities except `CAP_PERFMON` and `CAP_SYS_ADMIN`, like a service with
 * `CAP_BPF` and `CAP_NET_ADMIN`. The verifier then also rejects unset stack and leaked addresses.
 *
 * @param action Must be synchronous, since capabilities belong to the thread.
 */
export function withoutPerfmon<T>(action: () => T): T {
  const before = capabilities();
  const reduced = Uint32Array.from(before);
  for (const capability of [CAP_SYS_ADMIN, CAP_PERFMON]) reduced[capability < 32 ? 0 : 3]! &= ~(1 << (capability % 32));
  setCapabilities(reduced);
  try {
    return action();
  } finally {
    setCapabilities(before);
  }
}

function call(name: "capget" | "capset", data: Uint32Array): void {
  const number = numbers[process.arch]?.[name];
  if (number === undefined) throw new Error(`cannot call ${name}: its number is unknown for ${process.arch}`);
  const header = new Uint8Array(Uint32Array.from([VERSION, 0]).buffer);
  const { result, errno } = syscall(number, addressOf(header), addressOf(new Uint8Array(data.buffer)));
  if (result < 0) throw new Error(`${name} failed with error ${errno}`);
}

function capabilities(): Uint32Array {
  const data = new Uint32Array(6);
  call("capget", data);
  return data;
}

const setCapabilities = (data: Uint32Array): void => call("capset", data);
