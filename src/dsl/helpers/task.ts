import type { Constant } from "../../types/index.ts";
import type { Emitter } from "../emitter.ts";
import { ScalarValue, type Scalar } from "../scalar.ts";
import { callHelper, number, PURE, wide, type Implementations } from "./call.ts";

/** The process on whose behalf the program runs. */
export interface TaskHelpers {
  /** Thread group id in the upper half, thread id in the lower. */
  getCurrentPidTgid(): Scalar<"u64">;
  /** Group id in the upper half, user id in the lower. */
  getCurrentUidGid(): Scalar<"u64">;
  /** Id of the task's cgroup in the v2 hierarchy: the inode number of its directory. */
  getCurrentCgroupId(): Scalar<"u64">;
  /**
   * Id of the task's cgroup or of an ancestor of it: the one that lies `level`
   * below the root of the hierarchy (0: the root itself). 0 where the task's
   * cgroup lies less deep.
   */
  getCurrentAncestorCgroupId(level: number | Scalar<"i32"> | Constant<"i32">): Scalar<"u64">;
}

export const task: Implementations<TaskHelpers> = {
  getCurrentPidTgid: number("bpf_get_current_pid_tgid", "u64", PURE),
  getCurrentUidGid: number("bpf_get_current_uid_gid", "u64", PURE),
  getCurrentCgroupId: number("bpf_get_current_cgroup_id", "u64", PURE),

  getCurrentAncestorCgroupId(emitter: Emitter, level: unknown) {
    const result = callHelper(emitter, "bpf_get_current_ancestor_cgroup_id", [wide(emitter, "i32", level)], PURE);
    return new ScalarValue(emitter, "u64", result);
  },
};
