/** From the services of a configuration to those that the maps hold: under which addresses each is to be found. */
import { networkInterfaces } from "node:os";
import { Scope } from "../../../programs/maps.ts";
import { LoadBalancerError } from "./error.ts";
import {
  endpointText,
  familyOf,
  ServiceFlag,
  unspecified,
  type AddressFamily,
  type BackendDefinition,
  type FrontEnd,
  type Protocol,
  type ServiceDefinition,
} from "./service.ts";

/** A backend as the configuration file has it. */
export interface BackendConfig extends BackendDefinition {
  /** The node that it runs on; absent where that does not matter, and then it is no node's. */
  readonly node?: string | undefined;
}

/** `local`: the backends of this node alone. */
export type TrafficPolicy = "cluster" | "local";

/** A service as the configuration file has it, its addresses of one family. */
export interface ServiceConfig {
  readonly name: string;
  readonly protocol: Protocol;
  /** Of the service alone; absent where it is found under other addresses only. */
  readonly address?: string | undefined;
  /** Of `address` and `externalAddresses`. */
  readonly port?: number | undefined;
  /** A port of every local address of the host. */
  readonly nodePort?: number | undefined;
  /** A port of `hostIP`, or of every local address of the host. */
  readonly hostPort?: number | undefined;
  /** An address of the host. */
  readonly hostIP?: string | undefined;
  /** Addresses of the host under which the service is found too, at `port`. */
  readonly externalAddresses: readonly string[];
  /** Of what asks for `address`. */
  readonly internalTrafficPolicy?: TrafficPolicy | undefined;
  /** Of what asks for `nodePort`. */
  readonly externalTrafficPolicy?: TrafficPolicy | undefined;
  /** `address` is somebody's, and this node's backends take its place; where there are none, it is left alone. */
  readonly localRedirect?: boolean | undefined;
  readonly backends: readonly BackendConfig[];
  /** How a backend is chosen; `random` unless given. */
  readonly algorithm?: "random" | "maglev" | undefined;
  /** Seconds; 0 where clients do not keep their backends. */
  readonly affinityTimeout: number;
  /** Whether sockets that are connected to a backend through the service are closed when the service loses it. */
  readonly closeSockets?: boolean | undefined;
  /** Whether a backend that asks for the service is left alone. */
  readonly skipSelf?: boolean | undefined;
}

/**
 * The addresses that this host has at the moment, in the network namespace of
 * this thread; of each family its loopback address among them. Link-local ones
 * are left out: they mean nothing without their interface.
 */
export function hostAddresses(): string[] {
  const found = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .map(({ address }) => address);
  return [...new Set(["127.0.0.1", "::1", ...found])].filter((address) => !isLinkLocal(address));
}

function isLinkLocal(address: string): boolean {
  return /^fe[89ab]/i.test(address);
}

/** Every network namespace has these for itself. */
export function isLoopback(address: string): boolean {
  return address.startsWith("127.") || address === "::1";
}

/** A service's address family; that of one which names no address at all is IPv4. */
export function serviceFamily({
  address,
  externalAddresses,
  hostIP,
  backends,
}: Pick<ServiceConfig, "address" | "externalAddresses" | "hostIP" | "backends">): AddressFamily {
  return familyOf(address ?? externalAddresses[0] ?? hostIP ?? backends[0]?.address ?? unspecified.ipv4);
}

/** Those of the backends that are of this node. */
export function backendsOfNode<B extends BackendConfig>(backends: readonly B[], node: string): B[] {
  return backends.filter((backend) => backend.node === node);
}

/** Which of a service's addresses have the backends of this node alone; absent where it has no such address. */
export function localScopes(
  service: Pick<
    ServiceConfig,
    | "address"
    | "nodePort"
    | "hostPort"
    | "externalAddresses"
    | "internalTrafficPolicy"
    | "externalTrafficPolicy"
    | "localRedirect"
  >,
): { readonly address?: boolean; readonly nodePort?: boolean; readonly others?: false } {
  return {
    ...(service.address !== undefined && {
      address: service.localRedirect === true || service.internalTrafficPolicy === "local",
    }),
    ...(service.nodePort !== undefined && { nodePort: service.externalTrafficPolicy === "local" }),
    // What asks for them from within finds every backend, whatever the policy says of what comes from without.
    ...((service.hostPort !== undefined || service.externalAddresses.length > 0) && { others: false }),
  };
}

/**
 * Services under all their addresses. One whose addresses differ in their
 * backends becomes two of the same name; one that redirects to backends of this
 * node, of which there are none, becomes none.
 * @param local the host's own addresses
 * @throws {LoadBalancerError} where an address is to be the host's and is not, or two services meet in one address
 */
export function expandServices(
  {
    services,
    node,
    options: { maglevTableSize },
  }: {
    readonly services: readonly ServiceConfig[];
    readonly node: string;
    readonly options: { readonly maglevTableSize: number };
  },
  local: readonly string[],
): ServiceDefinition[] {
  const own = new Set(local);
  const taken = new Map<string, string>();
  return services.flatMap((service) => {
    const { name, protocol, backends, affinityTimeout, externalAddresses, hostIP, algorithm } = service;
    for (const address of externalAddresses)
      if (!own.has(address) && !isLoopback(address)) throw notOurs(name, "external address", address, local);
    if (hostIP !== undefined && !own.has(hostIP) && !isLoopback(hostIP))
      throw notOurs(name, "host address", hostIP, local);
    const frontEnds = frontEndsOf(service, local);
    for (const { address, port, scope } of frontEnds) {
      const text = `${endpointText({ address, port })}/${protocol}`;
      const other = taken.get(`${text}/${scope}`);
      if (other !== undefined) {
        throw new LoadBalancerError(
          `services ${JSON.stringify(other)} and ${JSON.stringify(name)} are both to be found at ${text}`,
          {
            hint: "nothing was changed; a nodePort is a port of every address of this host, and so is a hostPort without hostIP: give one of them another port",
          },
        );
      }
      taken.set(`${text}/${scope}`, name);
    }
    return [false, true].flatMap((isLocal): ServiceDefinition[] => {
      const part = frontEnds.filter(({ flags }) => ((flags & ServiceFlag.LOCAL_SCOPE) !== 0) === isLocal);
      const behind = (isLocal ? backendsOfNode(backends, node) : backends).map(({ address, port, weight, state }) => ({
        address,
        port,
        weight,
        state,
      }));
      if (part.length === 0 || (service.localRedirect === true && behind.length === 0)) return [];
      return [
        {
          name,
          protocol,
          backends: behind,
          affinityTimeout,
          ...(algorithm === "maglev" && { maglevTableSize }),
          frontEnds: part,
        },
      ];
    });
  });
}

function frontEndsOf(service: ServiceConfig, local: readonly string[]): FrontEnd[] {
  const {
    address,
    port,
    nodePort,
    hostPort,
    hostIP,
    externalAddresses,
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
  const add = (addresses: readonly string[], port: number, flags: number) => {
    for (const address of addresses) {
      const frontEnd = { address, port, scope: Scope.EVERYWHERE, flags: common | flags };
      if (!found.has(endpointText(frontEnd))) found.set(endpointText(frontEnd), frontEnd);
    }
  };
  /** The host's own loopback address is the host's alone: in a container the same address is the container's. */
  const addToHost = (addresses: readonly string[], port: number, flags: number) => {
    for (const address of addresses)
      add([address], port, isLoopback(address) ? flags | ServiceFlag.HOST_NAMESPACE : flags);
  };
  const localOfFamily = local.filter((address) => familyOf(address) === family);
  if (port !== undefined) {
    if (address !== undefined)
      add(
        [address],
        port,
        (scopes.address ? ServiceFlag.LOCAL_SCOPE : 0) | (localRedirect === true ? ServiceFlag.LOCAL_REDIRECT : 0),
      );
    addToHost(externalAddresses, port, 0);
  }
  if (hostPort !== undefined)
    addToHost(hostIP === undefined ? localOfFamily : [hostIP], hostPort, ServiceFlag.HOST_PORT);
  if (nodePort === undefined) return [...found.values()];
  const flags = ServiceFlag.NODE_PORT | (scopes.nodePort ? ServiceFlag.LOCAL_SCOPE : 0);
  addToHost(localOfFamily, nodePort, flags);
  return [
    ...found.values(),
    { address: unspecified[family], port: nodePort, scope: Scope.NODE_PORT, flags: common | flags },
  ];
}

function notOurs(name: string, what: string, address: string, local: readonly string[]): LoadBalancerError {
  const family = local.filter((other) => familyOf(other) === familyOf(address));
  return new LoadBalancerError(
    `service ${JSON.stringify(name)} may not have the ${what} ${address}: it is none of this host's, ` +
      "and connections of its processes to another host would be taken over",
    { hint: `nothing was changed; this host has ${family.join(", ")}` },
  );
}
