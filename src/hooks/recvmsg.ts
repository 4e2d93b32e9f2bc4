import { AttachType } from "../types/index.ts";
import { address4, address6, resultHook } from "./sock-addr.ts";

/** The source address of a received UDP datagram, before the process sees it. */
export const recvmsg4 = resultHook({
  section: "cgroup/recvmsg4",
  attachType: AttachType.CGROUP_UDP4_RECVMSG,
  context: address4,
  datagrams: true,
});
/** The source address of a datagram received on an IPv6 UDP socket. */
export const recvmsg6 = resultHook({
  section: "cgroup/recvmsg6",
  attachType: AttachType.CGROUP_UDP6_RECVMSG,
  context: address6,
  datagrams: true,
});
