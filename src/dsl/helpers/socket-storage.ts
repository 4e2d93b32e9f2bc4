import type { MapDefinition, MapType, Schema } from "../../types/index.ts";
import type { Emitter } from "../emitter.ts";
import { pointerValue, type Socket } from "../kernel-pointer.ts";
import { NullableValue, type Nullable } from "../nullable.ts";
import { ScalarValue, type Scalar } from "../scalar.ts";
import { callHelper, mapAddress, REMOVABLE, type Implementations } from "./call.ts";

type SkStorage<V extends Schema> = MapDefinition<typeof MapType.SK_STORAGE, Schema, V>;

const BPF_SK_STORAGE_GET_F_CREATE = 1n;

/** Values that belong to a socket and go with it. */
export interface SocketStorageHelpers<R> {
  /** The map's value for this socket; with `create`, one of zeroes where there was none. */
  skStorageGet<V extends Schema>(map: SkStorage<V>, socket: Socket, options?: { create?: boolean }): Nullable<V, R>;
}

export const socketStorage: Implementations<SocketStorageHelpers<unknown>> = {
  skStorageGet(emitter: Emitter, map: MapDefinition, socket: unknown, options: { create?: boolean } = {}) {
    const result = callHelper(
      emitter,
      "bpf_sk_storage_get",
      [
        mapAddress(emitter, map),
        pointerValue(emitter, socket),
        emitter.constant("i64", 0n),
        emitter.constant("i64", options.create ? BPF_SK_STORAGE_GET_F_CREATE : 0n),
      ],
      options.create ? {} : REMOVABLE,
      "ptr",
    );
    return NullableValue.lookup(emitter, map.value, result);
  },
};

/** The end of such a value before its socket's end. */
export interface SocketStorageDeleteHelpers {
  /** Deletes the map's value for this socket: 0, or a negative errno. */
  skStorageDelete(map: SkStorage<Schema>, socket: Socket): Scalar<"i64">;
}

export const socketStorageDelete: Implementations<SocketStorageDeleteHelpers> = {
  skStorageDelete(emitter: Emitter, map: MapDefinition, socket: unknown) {
    const result = callHelper(
      emitter,
      "bpf_sk_storage_delete",
      [mapAddress(emitter, map), pointerValue(emitter, socket)],
      { clobbers: ["map"] },
    );
    return new ScalarValue(emitter, "i64", result);
  },
};
