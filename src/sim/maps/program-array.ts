import { type MapDefinition, MapType } from "../../types/index.ts";
import type { Program } from "../../asm/index.ts";
import type { Region } from "../memory/region.ts";
import { MapRegion } from "./map-region.ts";

/**
 * A simulated array of programs, for tail calls.
 *
 * @example
 * ```ts
 * import { cgroup, PROCEED, progArray } from "tsbpf";
 * import { World } from "tsbpf/sim";
 *
 * const next = progArray("next", { maxEntries: 1 });
 * const second = cgroup.connect4("second", () => PROCEED);
 * const first = cgroup.connect4("first", (b, ctx) => {
 *   b.tailCall(ctx, next, 0);
 *   return PROCEED;
 * });
 * const world = new World();
 * world.map(next).set(0, second.compile());
 * console.log(world.run(first).returned); // 1
 * ```
 */
export class ProgramArray {
  readonly definition: MapDefinition;
  readonly region: Region;
  readonly #programs = new Map<number, Program>();

  constructor(definition: MapDefinition) {
    if (definition.type !== MapType.PROG_ARRAY)
      throw new RangeError(`cannot simulate map ${definition.name} as a program array: it has another type`);
    this.definition = definition;
    this.region = new MapRegion(definition.name, this);
  }

  get name(): string {
    return this.definition.name;
  }

  get(index: number): Program | undefined {
    return this.#programs.get(index);
  }

  /** @throws {RangeError} for an index outside the array */
  set(index: number, program: Program): void {
    if (!Number.isInteger(index) || index < 0 || index >= this.definition.maxEntries) {
      throw new RangeError(
        `cannot set program ${index} of map ${this.name}: it has ${this.definition.maxEntries} entries`,
      );
    }
    this.#programs.set(index, program);
  }

  /** Removes a program; false if there was none. */
  delete(index: number): boolean {
    return this.#programs.delete(index);
  }
}
