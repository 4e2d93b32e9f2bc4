import type { MapDefinition, MapType } from "../../types/index.ts";
import type { Emitter } from "../emitter.ts";
import { pointerValue, type AnyContext } from "../kernel-pointer.ts";
import type { Fits } from "../mistakes.ts";
import { callHelper, mapAddress, wide, type Implementations } from "./call.ts";

type ProgArray = MapDefinition<typeof MapType.PROG_ARRAY>;

/** Other programs. */
export interface TailCallHelpers {
  /** Goes on in the program at `index` and does not come back; goes on here where the array has none. */
  tailCall<O>(context: AnyContext, map: ProgArray, index: O & Fits<"u32", O>): void;
}

export const tailCall: Implementations<TailCallHelpers> = {
  tailCall(emitter: Emitter, context: unknown, map: MapDefinition, index: unknown) {
    const position = wide(emitter, "u32", index);
    callHelper(emitter, "bpf_tail_call", [pointerValue(emitter, context), mapAddress(emitter, map), position], {
      clobbers: ["map", "packet"],
    });
  },
};
