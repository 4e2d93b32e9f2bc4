import { linux, type Kernel } from "../../kernel/index.ts";
import { MapType, UpdateFlag } from "../../types/index.ts";

/**
 * Waits until every BPF program that is running now has ended. What such a
 * program may have read can then be reused.
 *
 * No system call does that alone, but every update of a map of maps waits for
 * an RCU grace period (`maybe_wait_bpf_programs` in kernel/bpf/syscall.c, since
 * Linux 4.20). Takes a few milliseconds.
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
