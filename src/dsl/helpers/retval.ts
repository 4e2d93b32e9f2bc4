import type { Constant } from "../../types/index.ts";
import type { Emitter } from "../emitter.ts";
import { ScalarValue, type Scalar } from "../scalar.ts";
import { callHelper, REMOVABLE, wide, type Implementations } from "./call.ts";

/** The result of the system call that the program runs in. */
export interface RetvalHelpers {
  /** Sets what the system call returns where a program refuses it: 0 or a negative errno (Linux 5.18). */
  setRetval(value: number | Scalar<"i32"> | Constant<"i32">): void;
  /** The current result of the system call (Linux 5.18). */
  getRetval(): Scalar<"i32">;
}

export const retval: Implementations<RetvalHelpers> = {
  setRetval(emitter: Emitter, value: unknown) {
    callHelper(emitter, "bpf_set_retval", [wide(emitter, "i32", value)], {});
  },

  getRetval(emitter: Emitter) {
    const result = callHelper(emitter, "bpf_get_retval", [], REMOVABLE);
    return new ScalarValue(emitter, "i32", emitter.emit({ op: "truncate", operand: result }, "i32"));
  },
};
