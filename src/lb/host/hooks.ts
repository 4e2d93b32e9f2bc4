/** The hooks that the load balancer's programs are attached to. */
import { BpfError, Errno, linux, type Fd, type Kernel } from "../../kernel/index.ts";
import { AttachType } from "../../types/index.ts";
import { LoadBalancerError } from "../model/error.ts";

/**
 * Names of hooks, as libbpf's sections have them, in the order of attaching:
 * what translates replies and what cleans up is there before what makes the
 * first entry for them.
 */
const hooks: readonly (readonly [attachType: AttachType, name: string])[] = [
  [AttachType.CGROUP_INET_SOCK_RELEASE, "cgroup/sock_release"],
  [AttachType.CGROUP_INET6_GETPEERNAME, "cgroup/getpeername6"],
  [AttachType.CGROUP_INET4_GETPEERNAME, "cgroup/getpeername4"],
  [AttachType.CGROUP_UDP6_RECVMSG, "cgroup/recvmsg6"],
  [AttachType.CGROUP_UDP4_RECVMSG, "cgroup/recvmsg4"],
  [AttachType.CGROUP_UDP6_SENDMSG, "cgroup/sendmsg6"],
  [AttachType.CGROUP_UDP4_SENDMSG, "cgroup/sendmsg4"],
  [AttachType.CGROUP_INET6_POST_BIND, "cgroup/post_bind6"],
  [AttachType.CGROUP_INET4_POST_BIND, "cgroup/post_bind4"],
  [AttachType.CGROUP_INET6_CONNECT, "cgroup/connect6"],
  [AttachType.CGROUP_INET4_CONNECT, "cgroup/connect4"],
];

/** Where in the order of attaching a hook comes; those that are not known come last. */
export function attachOrder(attachType: number | undefined): number {
  const index = hooks.findIndex(([type]) => type === attachType);
  return index < 0 ? hooks.length : index;
}

/** `cgroup/connect4`; the attach type's number where it has no name here. */
export function hookText(attachType: number | undefined): string {
  return hooks.find(([type]) => type === attachType)?.[1] ?? String(attachType);
}

/**
 * Asks the kernel for hooks.
 * @throws {LoadBalancerError} where it lacks some, or all of them
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
      hint: "it needs Linux 5.10 or newer, built with CONFIG_CGROUP_BPF=y",
    });
  }
  throw new LoadBalancerError(
    `this kernel lacks the hook${missing.length === 1 ? "" : "s"} ${missing.map(hookText).join(", ")}`,
    {
      hint: "it needs Linux 5.10 or newer",
    },
  );
}
