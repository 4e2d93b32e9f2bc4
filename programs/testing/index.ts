/** Support for tests of the programs on the running kernel: an attached data path and its clients. */
export {
  BACKENDS,
  BACKENDS6,
  DataPath,
  SERVICE,
  SERVICE6,
  withDataPath,
  type DataPathSetup,
  type Deploy,
  type Identity,
  type Party,
} from "./data-path.ts";
export { deployByBpftool } from "./deploy-by-bpftool.ts";
export { endpoint, endpointText, reverseEntry, type Endpoint } from "./endpoint.ts";
export type { ServiceProtocol } from "./service-table.ts";
export { dataPathSuite, type DataPathContext } from "./suite.ts";
export { SocketClient, type ClientSocket, type Received, type SocketKind } from "./socket-client.ts";
export { errnoOf, SocketError } from "./socket-error.ts";
