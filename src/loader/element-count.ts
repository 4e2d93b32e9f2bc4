import { callKernel, exit, loadMap, program, r1 } from "../asm/index.ts";
import { BtfError, kernelBtf } from "../btf/index.ts";
import { linux, VerifierError, type Fd, type Kernel } from "../kernel/index.ts";
import { mapKind, ProgramType, type MapDefinition } from "../types/index.ts";
import { relocate } from "./relocate.ts";

/** The kernel function that returns the count (kernel/bpf/map_iter.c; Linux 6.6). */
const COUNT = "bpf_map_sum_elem_count";

/** A socket filter's test run needs a packet, although this program reads none. */
const PACKET = new Uint8Array(64);

/**
 * The number of elements in a hash map, by the kernel's own count. The count is exact, also for LRU maps, and
 * takes the same time for any size of map. Only programs can read it, so this loads and runs one.
 *
 * @returns undefined if the kernel has no count: before Linux 6.6, without BTF, or for another type of map
 * @throws {BpfError}
 * @example
 * ```ts
 * import { cgroup, hash, load, PROCEED, u32 } from "tsbpf";
 * import { kernelElementCount } from "tsbpf/kernel";
 *
 * const seen = hash("seen", { key: u32, value: u32, maxEntries: 1_000_000 });
 * using loaded = load([cgroup.connect4("allow", () => PROCEED)], { maps: [seen] });
 * console.log(kernelElementCount(seen, loaded.maps.get("seen")!.fd));
 * ```
 */
export function kernelElementCount(definition: MapDefinition, map: Fd, kernel: Kernel = linux): number | undefined {
  if (!mapKind(definition.type).counted) return undefined;
  const id = kernelFunction();
  if (id === undefined) return undefined;
  const counter = program({
    name: "count_elements",
    type: ProgramType.SOCKET_FILTER,
    section: "socket",
    maps: [definition],
    items: [loadMap(r1, definition.name), callKernel(COUNT), exit()],
  });
  try {
    const { fd } = kernel.loadProgram({
      ...counter,
      code: relocate(counter, { map: () => map.number, kernelFunction: () => id }),
    });
    try {
      return kernel.testRunProgram(fd, { data: PACKET }).returnValue;
    } finally {
      fd.close();
    }
  } catch (error) {
    // The function exists, but not for programs of this type.
    if (error instanceof VerifierError) return undefined;
    throw error;
  }
}

function kernelFunction(): number | undefined {
  try {
    return kernelBtf().find("func", COUNT);
  } catch (error) {
    if (error instanceof BtfError) return undefined;
    throw error;
  }
}
