/** Services, backends and settings, whatever their source. */
export {
  checkServices,
  EXPECTED_ADDRESS,
  EXPECTED_PORT,
  type CheckedService,
  type CheckedState,
  type Report,
} from "./consistency.ts";
export {
  completeState,
  type DesiredState,
  type Options,
  type OptOut,
  type Settings,
  type SourceState,
} from "./desired-state.ts";
export { LoadBalancerError } from "./error.ts";
export { fieldText, type FieldPath } from "./field-path.ts";
export { expandServices, isLoopback, serviceFamily } from "./front-ends.ts";
export { hashOf } from "./hash.ts";
export type { CgroupPlace, HostState, NetworkNamespace } from "./host-state.ts";
export { defaultMapSizes, type MapSizes } from "./map-sizes.ts";
export { nearest } from "./nearest.ts";
export { problemsText } from "./problems-text.ts";
export {
  anyHasFlag,
  backendStateOf,
  backendStates,
  canonicalAddress,
  endpointText,
  familyOf,
  hasFlag,
  isReachable,
  isUnspecified,
  MAX_NAME_BYTES,
  MAX_SERVICES,
  MAX_WEIGHT,
  ProtocolNumber,
  protocolOf,
  ServiceFlag,
  type AddressFamily,
  type Backend,
  type BackendDefinition,
  type BackendStateName,
  type Endpoint,
  type FrontEnd,
  type Protocol,
  type Service,
  type ServiceDefinition,
  type TrafficPolicy,
} from "./service.ts";
export {
  backendsForNewFlows,
  MAGLEV_TABLE_SIZES,
  MAX_SLOTS_PER_SERVICE,
  slotCounts,
  slotsNeeded,
} from "./slot-count.ts";
