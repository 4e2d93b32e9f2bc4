import { AttachType } from "../types/index.ts";
import { address4, address6, resultHook } from "./sock-addr.ts";

/** getsockname(2) of an IPv4 socket. */
export const getsockname4 = resultHook({
  section: "cgroup/getsockname4",
  attachType: AttachType.CGROUP_INET4_GETSOCKNAME,
  context: address4,
});
/** getsockname(2) of an IPv6 socket. */
export const getsockname6 = resultHook({
  section: "cgroup/getsockname6",
  attachType: AttachType.CGROUP_INET6_GETSOCKNAME,
  context: address6,
});
