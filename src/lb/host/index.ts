/** What the load balancer has to know of the host that it runs on. */
export { cgroupPath } from "./cgroup-path.ts";
export { attachOrder, checkHooks, hookText } from "./hooks.ts";
export { addressesOf } from "./namespaces.ts";
export { probeDataPath } from "./probe.ts";
export { readSurroundings, type Surroundings } from "./host-state.ts";
