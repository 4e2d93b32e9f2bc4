/**
 * Sockets for which a service's address is an ordinary address: they get what
 * they would get without the load balancer.
 *
 * Asked once a service is found, so that other destinations pay nothing. Flows
 * of the current generation are not asked again: every change of an exemption
 * bumps the generation.
 */
import type { Condition } from "tsbpf";
import type { AddressCall, Service } from "./call.ts";
import { isOfHost } from "./host-namespace.ts";
import { optOutCgroups, optOutNamespaces, ServiceFlag } from "./maps.ts";
import type { DataPathOptions } from "./options.ts";

type Exemption = (call: AddressCall, service: Service) => Condition;

/** The exemptions that the options ask for. */
export function exemptions(options: DataPathOptions): readonly Exemption[] {
  return [
    ...(options.hostNamespaceOnly ? [foreign] : []),
    ...(options.hostNamespaceServices && !options.hostNamespaceOnly ? [foreignToHostService] : []),
    ...(options.optOutNamespaces ? [optedOutNamespace] : []),
    ...options.optOutCgroupLevels.map(optedOutCgroup),
    ...(options.skipSelf ? [ownBackend] : []),
  ];
}

/** The socket belongs to another network namespace than the host's. */
const foreign: Exemption = (call) => isOfHost(call).not();

/** The same, for services of the host's namespace alone. */
const foreignToHostService: Exemption = (call, { flags }) =>
  flags.hasBits(ServiceFlag.HOST_NAMESPACE).and(() => isOfHost(call).not());

/** The socket's network namespace has opted out. */
const optedOutNamespace: Exemption = (call) => call.b.lookup(optOutNamespaces, call.netnsCookie()).isFound();

/** The process's cgroup, or its ancestor at this depth, has opted out. A depth below the process's own gives id 0. */
const optedOutCgroup =
  (level: number): Exemption =>
  ({ b }) =>
    b.lookup(optOutCgroups, b.getCurrentAncestorCgroupId(level)).isFound();

/** The socket belongs to a backend of this very service. */
const ownBackend: Exemption = (call, { flags }) =>
  flags.hasBits(ServiceFlag.SKIP_SELF).and(() => {
    const { address, port } = call;
    return call.b.lookup(call.maps.skip, { netnsCookie: call.netnsCookie(), address, port }).isFound();
  });
