/** From the services that users name to those that maps hold: every address each service has. */
import { Scope } from "../../../programs/index.ts";
import { LoadBalancerError } from "./error.ts";
import {
  endpointText,
  familyOf,
  ServiceFlag,
  unspecified,
  withSpecificHostIP,
  type AddressFamily,
  type Backend,
  type FrontEnd,
  type Service,
  type ServiceDefinition,
} from "./service.ts";

/** Whether each network namespace has this address for itself. */
export function isLoopback(address: string): boolean {
  return address.startsWith("127.") || address === "::1";
}

const loopback = { ipv4: "127.0.0.1", ipv6: "::1" } as const satisfies Record<AddressFamily, string>;

/** A service's address family; IPv4 if it names no address. */
export function serviceFamily(
  service: Pick<Service, "address" | "externalAddresses" | "hostIP" | "backends">,
): AddressFamily {
  const { address, externalAddresses, hostIP, backends } = withSpecificHostIP(service);
  return familyOf(address ?? externalAddresses?.[0] ?? hostIP ?? backends[0]?.address ?? unspecified.ipv4);
}

/** The backends on this node. */
export function backendsOfNode<B extends Backend>(backends: readonly B[], node: string): B[] {
  return backends.filter((backend) => backend.node === node);
}

/** For each kind of address the service has, whether only this node's backends serve it. */
export function localScopes(
  service: Pick<
    Service,
    | "address"
    | "nodePort"
    | "hostPort"
    | "externalAddresses"
    | "internalTrafficPolicy"
    | "externalTrafficPolicy"
    | "localRedirect"
  >,
): { readonly address?: boolean; readonly nodePort?: boolean; readonly others?: false } {
  const hasOthers = service.hostPort !== undefined || (service.externalAddresses ?? []).length > 0;
  return {
    ...(service.address !== undefined && {
      address: service.localRedirect === true || service.internalTrafficPolicy === "local",
    }),
    ...(service.nodePort !== undefined && { nodePort: service.externalTrafficPolicy === "local" }),
    // Calls from inside the host reach every backend: the external policy is about calls from outside.
    ...(hasOthers && { others: false }),
  };
}

/**
 * Gives each service all its front ends. A service whose addresses differ in
 * their backends becomes two definitions of one name. A local redirect without
 * a backend on this node becomes none.
 * @param hostAddresses the host's own addresses
 * @throws {LoadBalancerError} if a host or external address is not the host's, or two services share an address and
 *   port
 * @example
 * ```ts
 * import { expandServices, hostAddresses, readConfig } from "tsbpf/lb";
 *
 * const services = expandServices(readConfig("services.yaml"), hostAddresses());
 * ```
 */
export function expandServices(
  {
    services,
    node,
    options: { maglevTableSize },
  }: {
    readonly services: readonly Service[];
    readonly node: string;
    readonly options: { readonly maglevTableSize: number };
  },
  hostAddresses: readonly string[],
): ServiceDefinition[] {
  const own = new Set(hostAddresses);
  const taken = new Map<string, string>();
  return services.map(withSpecificHostIP).flatMap((service) => {
    const { name, protocol, backends, affinityTimeout = 0, externalAddresses = [], hostIP, algorithm } = service;
    for (const address of externalAddresses)
      if (!own.has(address) && !isLoopback(address)) throw notOurs(name, "external address", address, hostAddresses);
    if (hostIP !== undefined && !own.has(hostIP) && !isLoopback(hostIP))
      throw notOurs(name, "host address", hostIP, hostAddresses);
    const frontEnds = frontEndsOf(service, hostAddresses);
    for (const { address, port, scope } of frontEnds) {
      const text = `${endpointText({ address, port })}/${protocol}`;
      const other = taken.get(`${text}/${scope}`);
      if (other !== undefined) {
        throw new LoadBalancerError(
          `services ${JSON.stringify(other)} and ${JSON.stringify(name)} both have the address ${text}`,
          {
            hint:
              "nothing was changed; a nodePort, or a hostPort without hostIP, " +
              "takes its port on every address of this host: give one of them another port",
          },
        );
      }
      taken.set(`${text}/${scope}`, name);
    }
    return [false, true].flatMap((isLocal): ServiceDefinition[] => {
      const part = frontEnds.filter(({ flags }) => ((flags & ServiceFlag.LOCAL_SCOPE) !== 0) === isLocal);
      const serving = (isLocal ? backendsOfNode(backends, node) : backends).map(({ address, port, weight, state }) => ({
        address,
        port,
        weight,
        state,
      }));
      if (part.length === 0 || (service.localRedirect === true && serving.length === 0)) return [];
      return [
        {
          name,
          protocol,
          backends: serving,
          affinityTimeout,
          ...(algorithm === "maglev" && { maglevTableSize }),
          frontEnds: part,
        },
      ];
    });
  });
}

function frontEndsOf(service: Service, hostAddresses: readonly string[]): FrontEnd[] {
  const {
    address,
    port,
    nodePort,
    hostPort,
    hostIP,
    externalAddresses = [],
    algorithm,
    closeSockets,
    skipSelf,
    localRedirect,
  } = service;
  const family = serviceFamily(service);
  const scopes = localScopes(service);
  const common =
    (closeSockets === true ? ServiceFlag.CLOSE_SOCKETS : 0) |
    (skipSelf === true ? ServiceFlag.SKIP_SELF : 0) |
    (algorithm === "maglev" ? ServiceFlag.MAGLEV : 0);
  const found = new Map<string, FrontEnd>();
  const add = (address: string, port: number, flags: number) => {
    const frontEnd = { address, port, scope: Scope.EVERYWHERE, flags: common | flags };
    if (!found.has(endpointText(frontEnd))) found.set(endpointText(frontEnd), frontEnd);
  };
  /**
   * Only the host's own sockets reach its loopback addresses: in a container
   * they are the container's. The unspecified address is another name of the first.
   */
  const addToHost = (addresses: readonly string[], port: number, flags: number) => {
    for (const address of addresses)
      for (const name of address === loopback[family] ? [address, unspecified[family]] : [address])
        add(name, port, isLoopback(address) ? flags | ServiceFlag.HOST_NAMESPACE : flags);
  };
  const ofFamily = hostAddresses.filter((address) => familyOf(address) === family);
  if (port !== undefined) {
    if (address !== undefined)
      add(
        address,
        port,
        (scopes.address ? ServiceFlag.LOCAL_SCOPE : 0) | (localRedirect === true ? ServiceFlag.LOCAL_REDIRECT : 0),
      );
    addToHost(externalAddresses, port, 0);
  }
  if (hostPort !== undefined) addToHost(hostIP === undefined ? ofFamily : [hostIP], hostPort, ServiceFlag.HOST_PORT);
  if (nodePort === undefined) return [...found.values()];
  const flags = ServiceFlag.NODE_PORT | (scopes.nodePort ? ServiceFlag.LOCAL_SCOPE : 0);
  addToHost(ofFamily, nodePort, flags);
  return [
    ...found.values(),
    { address: unspecified[family], port: nodePort, scope: Scope.NODE_PORT, flags: common | flags },
  ];
}

function notOurs(name: string, kind: string, address: string, hostAddresses: readonly string[]): LoadBalancerError {
  const family = hostAddresses.filter((other) => familyOf(other) === familyOf(address));
  return new LoadBalancerError(
    `service ${JSON.stringify(name)} may not have the ${kind} ${address}: it is not an address of this host, ` +
      "and this host's own connections to that address would be redirected",
    { hint: `nothing was changed; this host has ${family.join(", ")}` },
  );
}
