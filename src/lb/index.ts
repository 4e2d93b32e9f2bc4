/** The load balancer's control plane: services, from a configuration to the kernel's maps. */
export {
  ConfigError,
  defaultMapSizes,
  parseConfig,
  readConfig,
  type Config,
  type ConfigOptions,
  type ConfigProblem,
  type MapSizes,
} from "./config/index.ts";
export { LoadBalancerError } from "./error.ts";
export { expandServices, hostAddresses, type ServiceConfig } from "./front-ends.ts";
export { loadLoadBalancer, type LoadRequest, type LoadResult } from "./load.ts";
export type { CounterTotals } from "./counters.ts";
export type { EventsState } from "./observe/listening.ts";
export type { TranslationEvent } from "./observe/events.ts";
export { Monitor, type MonitorState } from "./observe/monitor.ts";
export type { MapUse } from "./observe/map-use.ts";
export { loadBalancerMetrics, type MapMetrics, type Metrics, type ServiceMetrics } from "./observe/metrics.ts";
export { loadBalancerMaps } from "./maps.ts";
export { OWNER } from "./observe/loaded.ts";
export { openPinnedMap, pinnedMaps, type OpenMap, type PinnedMap } from "./observe/pinned-maps.ts";
export {
  endpointText,
  type AddressFamily,
  type BackendDefinition,
  type BackendStateName,
  type Endpoint,
  type FrontEnd,
  type Protocol,
  type ServiceDefinition,
} from "./service.ts";
export {
  loadBalancerStatus,
  mapTypeText,
  type BackendStatus,
  type MapStatus,
  type ProgramStatus,
  type ServiceStatus,
  type Status,
} from "./observe/status.ts";
export { unloadLoadBalancer, type UnloadResult } from "./unload.ts";
