import { AttachType } from "../types/index.ts";
import { address4, address6, requestHook } from "./sock-addr.ts";

/** bind(2) to an IPv4 address. */
export const bind4 = requestHook({
  section: "cgroup/bind4",
  attachType: AttachType.CGROUP_INET4_BIND,
  context: address4,
});
/** bind(2) to an IPv6 address. */
export const bind6 = requestHook({
  section: "cgroup/bind6",
  attachType: AttachType.CGROUP_INET6_BIND,
  context: address6,
});
