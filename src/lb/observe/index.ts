/** Observes a loaded load balancer: status, counters, maps, events. Only monitors change programs. */
export type { TranslationEvent } from "./events.ts";
export type { EventsState } from "./listening.ts";
export type { MapUse } from "./map-use.ts";
export { loadBalancerMetrics, type MapMetrics, type Metrics, type ServiceMetrics } from "./metrics.ts";
export { Monitor, type MonitorState } from "./monitor.ts";
export { openPinnedMap, pinnedMaps, type OpenMap, type PinnedMap } from "./pinned-maps.ts";
export {
  loadBalancerStatus,
  mapTypeText,
  type BackendStatus,
  type Evictions,
  type MapStatus,
  type ProgramStatus,
  type ServiceStatus,
  type Status,
} from "./status.ts";
