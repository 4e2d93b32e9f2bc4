import { suite } from "uvu";
import * as assert from "uvu/assert";
import { BpfError, Errno, linux, type Fd, type Kernel } from "../../kernel/index.ts";
import { AttachType } from "../../types/index.ts";
import { LoadBalancerError } from "../model/index.ts";
import { defaultOptions, loadBalancerPrograms } from "../../../programs/index.ts";
import { attachOrder, checkHooks, hookText, roleOf } from "./hooks.ts";

const test = suite("hooks");

/** A kernel without these hooks. */
const without = (missing: (attachType: number) => boolean, errno: number = Errno.EINVAL): Kernel => ({
  ...linux,
  attachedPrograms(_, attachType) {
    if (missing(attachType)) throw new BpfError("BPF_PROG_QUERY", "cgroup", errno);
    return { programIds: [], attachFlags: 0 };
  },
});
const cgroup = {} as Fd;
const needed = [
  AttachType.CGROUP_INET4_CONNECT,
  AttachType.CGROUP_INET_SOCK_RELEASE,
  AttachType.CGROUP_INET4_GETPEERNAME,
];

test("accepts a kernel that has all of them", () => {
  checkHooks(
    cgroup,
    needed,
    without(() => false),
  );
});

test("names the hooks that an old kernel lacks", () => {
  const old = without(
    (attachType) =>
      attachType === AttachType.CGROUP_INET_SOCK_RELEASE || attachType === AttachType.CGROUP_INET4_GETPEERNAME,
  );
  assert.throws(
    () => checkHooks(cgroup, needed, old),
    (error: Error) =>
      error instanceof LoadBalancerError &&
      error.message === "this kernel lacks the hooks cgroup/sock_release, cgroup/getpeername4" &&
      error.hint === "the load balancer needs Linux 5.10 or newer",
  );
});

test("reports a kernel without CONFIG_CGROUP_BPF", () => {
  assert.throws(
    () =>
      checkHooks(
        cgroup,
        needed,
        without(() => true),
      ),
    (error: Error) =>
      error instanceof LoadBalancerError &&
      error.message === "this kernel runs no BPF programs on cgroups" &&
      /CONFIG_CGROUP_BPF/.test(error.hint ?? ""),
  );
});

test("passes other failures on", () => {
  assert.throws(
    () =>
      checkHooks(
        cgroup,
        needed,
        without(() => true, Errno.EPERM),
      ),
    (error: Error) => error instanceof BpfError && error.code === "EPERM",
  );
});

test("translating replies and cleaning up come before sending", () => {
  const order = [
    AttachType.CGROUP_INET_SOCK_RELEASE,
    AttachType.CGROUP_UDP4_RECVMSG,
    AttachType.CGROUP_UDP4_SENDMSG,
    AttachType.CGROUP_INET4_CONNECT,
  ].map(attachOrder);
  assert.equal(
    order,
    order.toSorted((a, b) => a - b),
  );
  assert.is(hookText(AttachType.CGROUP_INET4_CONNECT), "cgroup/connect4");
  assert.is(hookText(99), "99");
});

test("every program has a role, and programs that make flows come last", () => {
  const roles = loadBalancerPrograms({ ...defaultOptions, ipv6: true, nodePorts: true })
    .map(({ hook }) => hook.expectedAttachType)
    .toSorted((a, b) => attachOrder(a) - attachOrder(b))
    .map(roleOf);
  assert.equal(roles, [
    "cleansUp",
    ...new Array<string>(4).fill("translatesReplies"),
    ...new Array<string>(2).fill("refusesBinds"),
    ...new Array<string>(4).fill("makesFlows"),
  ]);
  assert.is(roleOf(99), undefined);
});

test.run();
