import { type MapDefinition, MapType } from "../../types/index.ts";
import type { Program } from "../../asm/index.ts";
import type { Region } from "../memory/region.ts";
import { MapRegion } from "./map-region.ts";

/** A simulated array of programs, for tail calls. */
export class ProgramArray {
  readonly definition: MapDefinition;
  readonly region: Region;
  readonly #programs = new Map<number, Program>();

  constructor(definition: MapDefinition) {
    if (definition.type !== MapType.PROG_ARRAY) throw new RangeError(`map ${definition.name} is no array of programs`);
    this.definition = definition;
    this.region = new MapRegion(definition.name, this);
  }

  get name(): string {
    return this.definition.name;
  }

  get(index: number): Program | undefined {
    return this.#programs.get(index);
  }

  /** @throws {RangeError} for an index that the array does not have */
  set(index: number, program: Program): void {
    if (!Number.isInteger(index) || index < 0 || index >= this.definition.maxEntries) {
      throw new RangeError(`map ${this.name} has no index ${index}: it has ${this.definition.maxEntries}`);
    }
    this.#programs.set(index, program);
  }

  /** Whether a program was there. */
  delete(index: number): boolean {
    return this.#programs.delete(index);
  }
}
