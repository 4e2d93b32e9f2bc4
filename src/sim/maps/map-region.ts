import { Region } from "../memory/region.ts";

/** The target of a program's pointer to a map; programs cannot access it. */
export class MapRegion<M = unknown> extends Region {
  readonly map: M;

  constructor(name: string, map: M) {
    super(`map ${name}`, new Uint8Array(0), "none");
    this.map = map;
  }
}
