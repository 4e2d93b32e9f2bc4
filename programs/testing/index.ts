/** For tests of the programs on the running kernel: the data path at work, and clients to lead through it. */
export {
  BACKENDS, BACKENDS6, DataPath, endpoint, endpointText, reverseEntry, SERVICE, SERVICE6, withDataPath,
  type DataPathSetup, type Deploy, type ServiceProtocol,
} from "./data-path.ts";
export { deployByBpftool } from "./deploy-by-bpftool.ts";
export { dataPathSuite, type DataPathContext } from "./suite.ts";
export { errnoOf, SocketClient, SocketError, type ClientSocket, type Endpoint, type Received, type SocketKind } from "./socket-client.ts";
