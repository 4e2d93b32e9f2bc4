/** Programs that record their runs in a shared list. */
import {
  add,
  call,
  exit,
  jeq,
  label,
  load,
  loadMap,
  lsh,
  mov,
  or,
  r0,
  r1,
  r10,
  r2,
  r6,
  store,
  type Item,
} from "../../src/asm/index.ts";
import { createMap, mapElements, type Fd, type MapElements } from "../../src/kernel/index.ts";
import { MapType, UpdateFlag } from "../../src/types/index.ts";

const shape = { name: "trace", type: MapType.ARRAY, keySize: 4, valueSize: 8, maxEntries: 1 } as const;
/** Bits per entry: the map's only value holds the last twelve runs. */
const ENTRY_BITS = 5;

/** The list of programs that ran, oldest first; each has a number from 1 to 31. */
export class Trace {
  readonly map: Fd;
  readonly #elements: MapElements;

  constructor() {
    this.map = createMap({ ...shape, flags: 0 });
    this.#elements = mapElements(this.map, shape);
  }

  /** Adds `id` to the list. Expects the context in r1, moves it to r6, and changes r0 to r5. */
  note(id: number): readonly Item[] {
    return [
      mov(r6, r1),
      store("u32", r10, -4, 0),
      mov(r2, r10),
      add(r2, -4),
      loadMap(r1, { fd: this.map.number }),
      call("bpf_map_lookup_elem"),
      jeq(r0, 0, `untraced ${id}`),
      load("u64", r1, r0, 0),
      lsh(r1, ENTRY_BITS),
      or(r1, id),
      store("u64", r0, 0, r1),
      label(`untraced ${id}`),
    ];
  }

  /** A program that adds `id` to the list and returns `result`. */
  program(id: number, result: 0 | 1 = 1): readonly Item[] {
    return [...this.note(id), mov(r0, result), exit()];
  }

  /** The entries since the last call. */
  take(): number[] {
    this.#elements.key.writeUInt32LE(0);
    if (!this.#elements.lookup()) return [];
    const ids: number[] = [];
    for (let rest = this.#elements.value.readBigUInt64LE(); rest !== 0n; rest >>= BigInt(ENTRY_BITS))
      ids.unshift(Number(rest & 31n));
    this.#elements.value.fill(0);
    this.#elements.update(UpdateFlag.ANY);
    return ids;
  }

  close(): void {
    this.map.close();
  }
}
