/** The host as the load balancer sees it: network namespaces, cgroups, hooks, addresses. */
export { hostAddresses } from "./addresses.ts";
export { cgroupPath, ownCgroup } from "./cgroup-path.ts";
export { attachOrder, checkHooks, hookText, roleOf } from "./hooks.ts";
export { readHostState } from "./host-state.ts";
export { addressesOf, NamespaceReader } from "./namespaces.ts";
export { probeDataPath, probeIpv6OnlyBit } from "./probe.ts";
export { changeReservedPorts, namespaceCookie, namespaceWithCookie, reservedPorts } from "./reserved-ports.ts";
