import { AttachType } from "../types/index.ts";
import { writable } from "./hook.ts";
import { address4, address6, requestHook } from "./sock-addr.ts";

/** A UDP datagram sent to an IPv4 address that the call names. */
export const sendmsg4 = requestHook({
  section: "cgroup/sendmsg4",
  attachType: AttachType.CGROUP_UDP4_SENDMSG,
  context: { ...address4, msgSrcIp4: writable(40, "be32") } as const,
  datagrams: true,
});

/** A UDP datagram sent to an IPv6 address that the call names. */
export const sendmsg6 = requestHook({
  section: "cgroup/sendmsg6",
  attachType: AttachType.CGROUP_UDP6_SENDMSG,
  context: { ...address6, msgSrcIp6: { element: writable(44, "be32"), count: 4 } } as const,
  datagrams: true,
});
