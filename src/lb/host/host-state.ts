import { anyHasFlag, ServiceFlag, type HostState, type ServiceDefinition, type Settings } from "../model/index.ts";
import { NamespaceReader } from "./namespaces.ts";
import { findCgroups, findNamespaces } from "./opt-out.ts";

/**
 * Reads the parts of the host that the settings and services refer to.
 * @param hostNetworkNamespace a file of the network namespace that counts as the host's; absent: this process's
 * @throws {LoadBalancerError} if something that the settings name does not exist
 * @throws {BpfError} if network namespaces cannot be entered
 */
export function readHostState(
  { optOut, options }: Pick<Settings, "optOut" | "options">,
  services: readonly ServiceDefinition[],
  hostNetworkNamespace?: string,
): HostState {
  using reader = new NamespaceReader();
  const uses = (flag: number) => anyHasFlag(services, flag);
  const optOutCgroups = findCgroups(optOut.cgroups);
  const optOutNamespaces = findNamespaces(optOut.networkNamespaces, reader);
  const needsHost =
    options.hostNamespaceOnly || [ServiceFlag.HOST_NAMESPACE, ServiceFlag.NODE_PORT, ServiceFlag.SKIP_SELF].some(uses);
  const needsNamespaces = uses(ServiceFlag.MAGLEV) || uses(ServiceFlag.SKIP_SELF);
  return {
    hostNetnsCookie: needsHost ? reader.cookie(hostNetworkNamespace) : undefined,
    namespaces: needsNamespaces ? reader.readAll() : [],
    optOutCgroups,
    optOutNamespaces,
  };
}
