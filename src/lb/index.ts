/** The load balancer's control plane: services, from a configuration to the kernel's maps. */
export { ConfigError, defaultMapSizes, parseConfig, readConfig, type Config, type ConfigProblem, type MapSizes } from "./config/index.ts";
export { LoadBalancerError } from "./error.ts";
export { loadLoadBalancer, type LoadRequest, type LoadResult } from "./load.ts";
export { loadBalancerMaps } from "./maps.ts";
export { openPinnedMap, pinnedMaps, type OpenMap, type PinnedMap } from "./pinned-maps.ts";
export { endpointText, type Endpoint, type Protocol, type ServiceDefinition } from "./service.ts";
export { loadBalancerStatus, mapTypeText, OWNER, type MapStatus, type ProgramStatus, type ServiceStatus, type Status } from "./status.ts";
export { unloadLoadBalancer, type UnloadResult } from "./unload.ts";
