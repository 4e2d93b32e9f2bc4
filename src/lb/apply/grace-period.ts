import { linux, type Kernel } from "../../kernel/index.ts";
import { MapType, UpdateFlag } from "../../types/index.ts";

/**
 * Returns once no BPF program runs any more that was running when it was
 * called, so that what such a program may still have read can be used anew.
 *
 * The kernel promises that of every update of a map of maps (since Linux 4.20:
 * `maybe_wait_bpf_programs` in kernel/bpf/syscall.c waits for an RCU grace
 * period); there is no system call of that name. Takes some milliseconds, and
 * leaves nothing behind.
 *
 * @throws {BpfError}
 */
export function waitForRunningPrograms(kernel: Kernel = linux): void {
  const inner = kernel.createMap({
    name: "grace_inner",
    type: MapType.ARRAY,
    keySize: 4,
    valueSize: 4,
    maxEntries: 1,
    flags: 0,
  });
  try {
    const shape = { name: "grace_period", type: MapType.ARRAY_OF_MAPS, keySize: 4, valueSize: 4, maxEntries: 1 };
    const outer = kernel.createMap({ ...shape, flags: 0, innerMap: inner });
    try {
      const elements = kernel.mapElements(outer, shape);
      elements.key.writeUInt32LE(0);
      elements.value.writeUInt32LE(inner.number);
      elements.update(UpdateFlag.ANY);
    } finally {
      outer.close();
    }
  } finally {
    inner.close();
  }
}
