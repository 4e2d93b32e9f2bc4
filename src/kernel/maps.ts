/** Creating and freezing maps. For their elements, see map-elements.ts. */
import type { MapType } from "../types/index.ts";
import { bpf, objectName, tryBpf } from "./bpf.ts";
import { mapCreateAttr, mapElementAttr } from "./bpf-attr.ts";
import { BpfError } from "./bpf-error.ts";
import { Errno } from "./errno.ts";
import { Fd } from "./fd.ts";
import { raiseMemoryLock } from "./memory-lock.ts";

export interface MapCreate {
  /** The kernel keeps the first 15 bytes. */
  readonly name: string;
  readonly type: MapType;
  /** Bytes. */
  readonly keySize: number;
  /** Bytes; for a per-CPU map, of one CPU's value. */
  readonly valueSize: number;
  readonly maxEntries: number;
  /** `MapFlag`s. */
  readonly flags: number;
  /** For a map of maps: a map with the shape of the inner maps. */
  readonly innerMap?: Fd;
  /** BTF with the types of key and value, and their ids. */
  readonly btf?: { readonly fd: Fd; readonly keyTypeId: number; readonly valueTypeId: number };
}

/**
 * Creates a map (`BPF_MAP_CREATE`). It lives until its last descriptor, pin and program is gone.
 * @throws {BpfError}
 */
export function createMap(map: MapCreate): Fd {
  const attr = mapCreateAttr.create({
    map_type: map.type,
    key_size: map.keySize,
    value_size: map.valueSize,
    max_entries: map.maxEntries,
    map_flags: map.flags,
    map_name: objectName(map.name),
    ...(map.innerMap && { inner_map_fd: map.innerMap.number }),
    ...(map.btf && {
      btf_fd: map.btf.fd.number,
      btf_key_type_id: map.btf.keyTypeId,
      btf_value_type_id: map.btf.valueTypeId,
    }),
  });
  let { result, errno } = tryBpf("BPF_MAP_CREATE", attr);
  if (errno === Errno.EPERM && raiseMemoryLock()) ({ result, errno } = tryBpf("BPF_MAP_CREATE", attr));
  if (result < 0) throw new BpfError("BPF_MAP_CREATE", `map ${map.name}`, errno);
  return new Fd(result);
}

/**
 * Makes the map read-only for user space, for good (`BPF_MAP_FREEZE`, Linux 5.2).
 * @throws {BpfError}
 */
export function freezeMap(map: Fd): void {
  bpf("BPF_MAP_FREEZE", mapElementAttr.create({ map_fd: map.number }), `map (descriptor ${map.number})`);
}
