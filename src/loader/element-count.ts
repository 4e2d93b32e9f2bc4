import { callKernel, exit, loadMap, program, r1 } from "../asm/index.ts";
import { BtfError, kernelBtf } from "../btf/index.ts";
import { linux, VerifierError, type Fd, type Kernel } from "../kernel/index.ts";
import { MapType, ProgramType, type MapDefinition } from "../types/index.ts";
import { relocate } from "./relocate.ts";

/** Maps of which the kernel counts the elements: its hash tables. */
const COUNTED: ReadonlySet<MapType> = new Set<MapType>([
  MapType.HASH,
  MapType.LRU_HASH,
  MapType.PERCPU_HASH,
  MapType.LRU_PERCPU_HASH,
]);

/** The kernel function that gives the count (kernel/bpf/map_iter.c; Linux 6.6). */
const COUNT = "bpf_map_sum_elem_count";

/** A socket filter is not run without a packet, though this one reads none. */
const PACKET = new Uint8Array(64);

/**
 * How many elements a hash map holds, by the count that the kernel keeps of
 * each: exact, for maps that evict too, and had as quickly of a large map as of
 * a small one. Only programs can ask for it, so one is loaded and run.
 *
 * @returns undefined where the kernel keeps none: before Linux 6.6, without BTF, or of another type of map
 * @throws {BpfError}
 */
export function keptElementCount(definition: MapDefinition, map: Fd, kernel: Kernel = linux): number | undefined {
  if (!COUNTED.has(definition.type)) return undefined;
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
    // The function is there, and not for programs like this one.
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
