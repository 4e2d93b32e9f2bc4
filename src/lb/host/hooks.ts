/** The hooks of the load balancer's programs. */
import { BpfError, Errno, linux, type Fd, type Kernel } from "../../kernel/index.ts";
import { hooks, type Hook } from "../../hooks/index.ts";
import type { AttachType } from "../../types/index.ts";
import { LoadBalancerError } from "../model/index.ts";

const { sockRelease, getpeername6, getpeername4, recvmsg6, recvmsg4 } = hooks.cgroup;
const { sendmsg6, sendmsg4, postBind6, postBind4, connect6, connect4 } = hooks.cgroup;

/**
 * What each hook's program does, in the order of attaching. Programs are
 * detached in the reverse order, and replaced in this one. So whenever a
 * program makes a flow, the programs that translate its replies are there.
 */
const roles = {
  /** Removes the flows of a socket that closes. */
  cleansUp: [sockRelease],
  translatesReplies: [getpeername6, getpeername4, recvmsg6, recvmsg4],
  /** Keeps node ports from being bound; attached before calls to them are redirected. */
  refusesBinds: [postBind6, postBind4],
  makesFlows: [sendmsg6, sendmsg4, connect6, connect4],
} as const satisfies Record<string, readonly Hook[]>;

export type HookRole = keyof typeof roles;

const order: readonly Hook[] = Object.values(roles).flat();

/** The position of a hook in the order of attaching; unknown hooks come last. */
export function attachOrder(attachType: number | undefined): number {
  const index = order.findIndex(({ expectedAttachType }) => expectedAttachType === attachType);
  return index < 0 ? order.length : index;
}

/** The purpose of a hook's program; undefined for a hook that the load balancer does not use. */
export function roleOf(attachType: number | undefined): HookRole | undefined {
  return (Object.keys(roles) as HookRole[]).find((role) =>
    roles[role].some(({ expectedAttachType }) => expectedAttachType === attachType),
  );
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
