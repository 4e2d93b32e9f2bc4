/** The hooks of the cases, written out independently: the cases check the toolkit's declarations against the kernel. */
import { AttachType, ProgramType } from "../../src/types/index.ts";

/** A hook of a cgroup. */
export interface Hook {
  /** libbpf's section name without `cgroup/`. */
  readonly name: string;
  readonly type: ProgramType;
  readonly attachType: AttachType;
  /** The address family that programs see; absent if it depends on the socket. */
  readonly family?: 4 | 6;
}

const hook = (name: string, type: ProgramType, attachType: AttachType, family?: 4 | 6): Hook => ({
  name,
  type,
  attachType,
  ...(family && { family }),
});

const { CGROUP_SOCK, CGROUP_SOCK_ADDR } = ProgramType;

export const bind4 = hook("bind4", CGROUP_SOCK_ADDR, AttachType.CGROUP_INET4_BIND, 4);
export const bind6 = hook("bind6", CGROUP_SOCK_ADDR, AttachType.CGROUP_INET6_BIND, 6);
export const connect4 = hook("connect4", CGROUP_SOCK_ADDR, AttachType.CGROUP_INET4_CONNECT, 4);
export const connect6 = hook("connect6", CGROUP_SOCK_ADDR, AttachType.CGROUP_INET6_CONNECT, 6);
export const sendmsg4 = hook("sendmsg4", CGROUP_SOCK_ADDR, AttachType.CGROUP_UDP4_SENDMSG, 4);
export const sendmsg6 = hook("sendmsg6", CGROUP_SOCK_ADDR, AttachType.CGROUP_UDP6_SENDMSG, 6);
export const recvmsg4 = hook("recvmsg4", CGROUP_SOCK_ADDR, AttachType.CGROUP_UDP4_RECVMSG, 4);
export const recvmsg6 = hook("recvmsg6", CGROUP_SOCK_ADDR, AttachType.CGROUP_UDP6_RECVMSG, 6);
export const getpeername4 = hook("getpeername4", CGROUP_SOCK_ADDR, AttachType.CGROUP_INET4_GETPEERNAME, 4);
export const getpeername6 = hook("getpeername6", CGROUP_SOCK_ADDR, AttachType.CGROUP_INET6_GETPEERNAME, 6);
export const getsockname4 = hook("getsockname4", CGROUP_SOCK_ADDR, AttachType.CGROUP_INET4_GETSOCKNAME, 4);
export const getsockname6 = hook("getsockname6", CGROUP_SOCK_ADDR, AttachType.CGROUP_INET6_GETSOCKNAME, 6);
export const sockCreate = hook("sock_create", CGROUP_SOCK, AttachType.CGROUP_INET_SOCK_CREATE);
export const sockRelease = hook("sock_release", CGROUP_SOCK, AttachType.CGROUP_INET_SOCK_RELEASE);
export const postBind4 = hook("post_bind4", CGROUP_SOCK, AttachType.CGROUP_INET4_POST_BIND, 4);
export const postBind6 = hook("post_bind6", CGROUP_SOCK, AttachType.CGROUP_INET6_POST_BIND, 6);

/** Hooks whose context is `struct bpf_sock_addr`. */
export const sockAddrHooks: readonly Hook[] = [
  bind4,
  bind6,
  connect4,
  connect6,
  sendmsg4,
  sendmsg6,
  recvmsg4,
  recvmsg6,
  getpeername4,
  getpeername6,
  getsockname4,
  getsockname6,
];

/** Hooks whose context is `struct bpf_sock`. */
export const sockHooks: readonly Hook[] = [sockCreate, sockRelease, postBind4, postBind6];

export const allHooks: readonly Hook[] = [...sockAddrHooks, ...sockHooks];
