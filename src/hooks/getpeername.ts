import { AttachType } from "../types/index.ts";
import { address4, address6, resultHook } from "./sock-addr.ts";

/** getpeername(2) of an IPv4 socket. */
export const getpeername4 = resultHook({
  section: "cgroup/getpeername4",
  attachType: AttachType.CGROUP_INET4_GETPEERNAME,
  context: address4,
});
/** getpeername(2) of an IPv6 socket. */
export const getpeername6 = resultHook({
  section: "cgroup/getpeername6",
  attachType: AttachType.CGROUP_INET6_GETPEERNAME,
  context: address6,
});
