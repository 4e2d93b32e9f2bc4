/** Helpers for loops and for the result of the current system call. */
import { Errno } from "../maps/errors.ts";
import type { HelperTable } from "./helper.ts";

/** `BPF_MAX_LOOPS` */
const MAX_LOOPS = 8 * 1024 * 1024;

export const controlHelpers: HelperTable = {
  bpf_loop(call) {
    const count = call.u32(1);
    if (call.u64(4) !== 0n) return -Errno.EINVAL;
    if (count > MAX_LOOPS) return -Errno.E2BIG;
    for (let i = 0; i < count; i++) if (call.callback(2, i, call.u64(3)) !== 0) return i + 1;
    return count;
  },

  bpf_get_retval: (_, world) => world.current?.retval ?? 0,

  bpf_set_retval(call, world) {
    if (world.current !== undefined) world.current.retval = call.i32(1);
    return 0;
  },
};
