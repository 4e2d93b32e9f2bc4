/** For tests of the programs on the running kernel: the data path at work, and clients to lead through it. */
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
