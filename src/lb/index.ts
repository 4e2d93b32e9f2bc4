/** The socket-level load balancer, as a library: `tsbpf/lb`. */
import "../one-copy.ts";
export {
  counterNames,
  loadBalancerMaps,
  nothingLoaded,
  OWNER,
  unloadLoadBalancer,
  type CounterTotals,
  type TransactionResult,
  type UnloadResult,
} from "./apply/index.ts";
export { Balancer, type ApplyResult, type BalancerPlace } from "./balancer.ts";
export { cgroupPath, hostAddresses } from "./host/index.ts";
export {
  checkServices,
  completeState,
  defaultMapSizes,
  endpointText,
  expandServices,
  fieldText,
  isLoopback,
  LoadBalancerError,
  MAGLEV_TABLE_SIZES,
  ProtocolNumber,
  ServiceFlag,
  type AddressFamily,
  type Backend,
  type BackendDefinition,
  type BackendStateName,
  type CheckedService,
  type CheckedState,
  type DesiredState,
  type Endpoint,
  type FieldPath,
  type FrontEnd,
  type MapSizes,
  type Options,
  type OptOut,
  type Protocol,
  type Report,
  type Service,
  type ServiceDefinition,
  type Settings,
  type SourceState,
  type TrafficPolicy,
} from "./model/index.ts";
export * from "./observe/index.ts";
export type { Outcome } from "./plan/index.ts";
export {
  ConfigError,
  fileSource,
  firstState,
  openSource,
  parseConfig,
  readConfig,
  type ConfigProblem,
  type Source,
} from "./sources/index.ts";
