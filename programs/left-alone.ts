/**
 * Sockets that ask for a service's address and are left alone all the same: to
 * them it is what it would be without the load balancer. That is asked once the
 * service is found, so that other destinations pay nothing for it, and not of
 * flows of this generation: the control plane bumps it with every change here.
 */
import type { BuilderWith, Condition } from "tsbpf";
import { optOutCgroups, optOutNamespaces, ServiceFlag } from "./maps.ts";
import { count } from "./metrics.ts";
import type { DataPathOptions } from "./options.ts";
import { isOfHost } from "./network-namespace.ts";
import type { FoundService } from "./service.ts";
import type { SocketAddress } from "./socket-address.ts";

/** The helpers that `unlessLeftAlone` calls. */
export type LeftAloneHelper = "getCurrentAncestorCgroupId" | "getNetnsCookie";

/** Runs `leave`, which must end the program, where the socket is to be left alone although it asks for the service. */
export function unlessLeftAlone(
  b: BuilderWith<LeftAloneHelper>,
  to: SocketAddress,
  service: FoundService,
  leave: () => void,
  options: DataPathOptions,
): void {
  const [first, ...others] = reasons(b, to, service, options);
  // Without any, nothing is written.
  if (first === undefined) return;
  b.if(
    others.reduce((any, other) => any.or(other), first()),
    () => {
      count(b, to, options, service.revNatIndex, "leftAlone");
      leave();
    },
  );
}

/** Why a socket may be left alone, as far as the programs are built for it. */
function reasons(
  b: BuilderWith<LeftAloneHelper>,
  to: SocketAddress,
  { flags }: FoundService,
  options: DataPathOptions,
): (() => Condition)[] {
  const cookie = () => b.getNetnsCookie(to.context);
  const foreign = () => isOfHost(b, to.context, options).not();
  const ownService = () => {
    const { address, port } = to;
    return b.lookup(to.maps.skip, { netnsCookie: cookie(), address, port }).isFound();
  };
  return [
    ...(options.hostNamespaceOnly ? [foreign] : []),
    ...(options.hostNamespaceServices && !options.hostNamespaceOnly
      ? [() => flags.hasBits(ServiceFlag.HOST_NAMESPACE).and(foreign)]
      : []),
    ...(options.optOutNamespaces ? [() => b.lookup(optOutNamespaces, cookie()).isFound()] : []),
    // Of a process whose cgroup lies less deep the kernel says 0, which is no cgroup's id.
    ...options.optOutCgroupLevels.map(
      (level) => () => b.lookup(optOutCgroups, b.getCurrentAncestorCgroupId(level)).isFound(),
    ),
    ...(options.skipSelf ? [() => flags.hasBits(ServiceFlag.SKIP_SELF).and(ownService)] : []),
  ];
}
