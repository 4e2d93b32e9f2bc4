/** The hooks of the load balancer's programs. */
import { BpfError, Errno, linux, type Fd, type Kernel } from "../../kernel/index.ts";
import { hooks, type Hook } from "../../hooks/index.ts";
import type { AttachType } from "../../types/index.ts";
import { LoadBalancerError } from "../model/index.ts";

const { sockRelease, getpeername6, getpeername4, recvmsg6, recvmsg4 } = hooks.cgroup;
const { sendmsg6, sendmsg4, postBind6, postBind4, connect6, connect4 } = hooks.cgroup;

/**
 * The order of attaching: programs that translate replies and clean up come
 * before the programs that make the entries for them.
 */
const order: readonly Hook[] = [
  sockRelease,
  getpeername6,
  getpeername4,
  recvmsg6,
  recvmsg4,
  sendmsg6,
  sendmsg4,
  postBind6,
  postBind4,
  connect6,
  connect4,
];

/** The position of a hook in the order of attaching; unknown hooks come last. */
export function attachOrder(attachType: number | undefined): number {
  const index = order.findIndex(({ expectedAttachType }) => expectedAttachType === attachType);
  return index < 0 ? order.length : index;
}

/** A hook's section name, `cgroup/connect4`, or the attach type's number if it has none here. */
export function hookText(attachType: number | undefined): string {
  return order.find(({ expectedAttachType }) => expectedAttachType === attachType)?.sections[0] ?? String(attachType);
}

/**
 * Checks that the kernel has these hooks.
 * @throws {LoadBalancerError} naming those it lacks
 */
export function checkHooks(cgroup: Fd, needed: readonly AttachType[], kernel: Kernel = linux): void {
  const missing = needed.filter((attachType) => {
    try {
      kernel.attachedPrograms(cgroup, attachType);
      return false;
    } catch (error) {
      if (error instanceof BpfError && error.errno === Errno.EINVAL) return true;
      throw error;
    }
  });
  if (missing.length === 0) return;
  if (missing.length === needed.length) {
    throw new LoadBalancerError("this kernel runs no BPF programs on cgroups", {
      hint: "the load balancer needs Linux 5.10 or newer, built with CONFIG_CGROUP_BPF=y",
    });
  }
  throw new LoadBalancerError(
    `this kernel lacks the hook${missing.length === 1 ? "" : "s"} ${missing.map(hookText).join(", ")}`,
    {
      hint: "the load balancer needs Linux 5.10 or newer",
    },
  );
}
