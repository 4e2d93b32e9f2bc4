import { AttachType } from "../types/index.ts";
import { address4, address6, requestHook } from "./sock-addr.ts";

/** connect(2) to an IPv4 address. */
export const connect4 = requestHook({
  section: "cgroup/connect4",
  attachType: AttachType.CGROUP_INET4_CONNECT,
  context: address4,
});
/** connect(2) to an IPv6 address. */
export const connect6 = requestHook({
  section: "cgroup/connect6",
  attachType: AttachType.CGROUP_INET6_CONNECT,
  context: address6,
});
