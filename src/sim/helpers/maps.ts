/** Helpers for maps (bpf-helpers(7)). */
import { ReasonForFault } from "../fault.ts";
import type { HelperCall } from "../helper-call.ts";
import { Errno } from "../maps/errors.ts";
import { KeyedMap } from "../maps/keyed-map.ts";
import { MapRegion } from "../maps/map-region.ts";
import { Region } from "../memory/region.ts";
import type { HelperTable } from "./helper.ts";

/** The map that the first argument points to. */
export function mapArgument(call: HelperCall): unknown {
  const { region } = call.pointer(1);
  if (region instanceof MapRegion) return region.map;
  throw new ReasonForFault(`r1 points to ${region.name}, not to a map`);
}

function keyedMap(call: HelperCall): KeyedMap {
  const map = mapArgument(call);
  if (map instanceof KeyedMap) return map;
  throw new ReasonForFault("the map that r1 points to has no keys and values");
}

export const mapHelpers: HelperTable = {
  bpf_map_lookup_elem(call, world) {
    const map = keyedMap(call);
    return map.valueOf(call.bytes(2, map.definition.key.size), world.cpu);
  },

  bpf_map_lookup_percpu_elem(call, world) {
    const map = keyedMap(call);
    const key = call.bytes(2, map.definition.key.size);
    return call.u32(3) < world.maps.cpus ? map.valueOf(key, call.u32(3)) : undefined;
  },

  bpf_map_update_elem(call, world) {
    const map = keyedMap(call);
    const { key, value } = map.definition;
    return map.update(call.bytes(2, key.size), call.bytes(3, value.size).slice(), Number(call.u64(4)), world.cpu);
  },

  bpf_map_delete_elem(call) {
    const map = keyedMap(call);
    return map.remove(call.bytes(2, map.definition.key.size));
  },

  bpf_for_each_map_elem(call, world) {
    const map = keyedMap(call);
    if (call.u64(4) !== 0n) return -Errno.EINVAL;
    let visited = 0;
    for (const { key, value } of map.elements(world.cpu)) {
      visited++;
      const keyRegion = new Region(`a key of map ${map.name}`, key, "read-only");
      if (call.callback(2, map.region, keyRegion, value, call.u64(3)) !== 0) break;
    }
    return visited;
  },
};
