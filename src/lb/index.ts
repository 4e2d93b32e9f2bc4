/** The load balancer's control plane: services, from a configuration to the kernel's maps. */
import "../one-copy.ts";
export {
  ConfigError,
  defaultMapSizes,
  parseConfig,
  readConfig,
  type Config,
  type ConfigOptions,
  type ConfigProblem,
  type MapSizes,
} from "./sources/file/index.ts";
export { LoadBalancerError } from "./model/error.ts";
export { expandServices, hostAddresses, type ServiceConfig } from "./model/front-ends.ts";
export { loadLoadBalancer, type LoadRequest, type LoadResult } from "./balancer.ts";
export type { CounterTotals } from "./apply/counters.ts";
export type { EventsState } from "./observe/listening.ts";
export type { TranslationEvent } from "./observe/events.ts";
export { Monitor, type MonitorState } from "./observe/monitor.ts";
export type { MapUse } from "./observe/map-use.ts";
export { loadBalancerMetrics, type MapMetrics, type Metrics, type ServiceMetrics } from "./observe/metrics.ts";
export { loadBalancerMaps } from "./apply/maps.ts";
export { OWNER } from "./apply/pins.ts";
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
} from "./model/service.ts";
export {
  loadBalancerStatus,
  mapTypeText,
  type BackendStatus,
  type MapStatus,
  type ProgramStatus,
  type ServiceStatus,
  type Status,
} from "./observe/status.ts";
export { unloadLoadBalancer, type UnloadResult } from "./apply/unload.ts";
