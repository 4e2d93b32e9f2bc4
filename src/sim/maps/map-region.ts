import { Region } from "../memory/region.ts";

/** What a program's pointer to a map points to; nothing that it could read. */
export class MapRegion<M = unknown> extends Region {
  readonly map: M;

  constructor(name: string, map: M) {
    super(`map ${name}`, new Uint8Array(0), "none");
    this.map = map;
  }
}
