/** From the services of a configuration to those that the maps hold: under which addresses each is to be found. */
import { networkInterfaces } from "node:os";
import { Scope } from "../../programs/maps.ts";
import { LoadBalancerError } from "./error.ts";
import {
  endpointText, familyOf, ServiceFlag, unspecified,
  type AddressFamily, type BackendDefinition, type FrontEnd, type Protocol, type ServiceDefinition,
} from "./service.ts";

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
  /** Addresses of the host under which the service is found too, at `port`. */
  readonly externalAddresses: readonly string[];
  readonly backends: readonly BackendDefinition[];
  /** Seconds; 0 where clients do not keep their backends. */
  readonly affinityTimeout: number;
  /** Whether sockets that are connected to a backend through the service are closed when the service loses it. */
  readonly closeSockets?: boolean | undefined;
}

/**
 * The addresses that this host has at the moment, in the network namespace of
 * this process; of each family its loopback address among them. Link-local ones
 * are left out: they mean nothing without their interface.
 */
export function hostAddresses(): string[] {
  const found = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []).map(({ address }) => address);
  return [...new Set(["127.0.0.1", "::1", ...found])].filter((address) => !isLinkLocal(address));
}

function isLinkLocal(address: string): boolean {
  return /^fe[89ab]/i.test(address);
}

/** A service's address family; that of one which names no address at all is IPv4. */
export function serviceFamily({ address, externalAddresses, backends }: Pick<ServiceConfig, "address" | "externalAddresses" | "backends">): AddressFamily {
  return familyOf(address ?? externalAddresses[0] ?? backends[0]?.address ?? unspecified.ipv4);
}

/**
 * Services under all their addresses.
 * @param local the host's own addresses
 * @throws {LoadBalancerError} where an external address is not the host's, or two services meet in one address
 */
export function expandServices(services: readonly ServiceConfig[], local: readonly string[]): ServiceDefinition[] {
  const own = new Set(local);
  const taken = new Map<string, string>();
  return services.map((service): ServiceDefinition => {
    const { name, protocol, backends, affinityTimeout, externalAddresses } = service;
    for (const address of externalAddresses) if (!own.has(address)) throw notOurs(name, address, local);
    const frontEnds = frontEndsOf(service, local);
    for (const { address, port, scope } of frontEnds) {
      const text = `${endpointText({ address, port })}/${protocol}`;
      const other = taken.get(`${text}/${scope}`);
      if (other !== undefined) {
        throw new LoadBalancerError(`services ${JSON.stringify(other)} and ${JSON.stringify(name)} are both to be found at ${text}`, {
          hint: "nothing was changed; a nodePort is a port of every address of this host: give one of them another port",
        });
      }
      taken.set(`${text}/${scope}`, name);
    }
    return { name, protocol, backends, affinityTimeout, frontEnds };
  });
}

function frontEndsOf(service: ServiceConfig, local: readonly string[]): FrontEnd[] {
  const { address, port, nodePort, externalAddresses, closeSockets } = service;
  const family = serviceFamily(service);
  const common = closeSockets === true ? ServiceFlag.CLOSE_SOCKETS : 0;
  const asked = [...(address === undefined ? [] : [address]), ...externalAddresses];
  const frontEnds = port === undefined ? [] : asked.map((address): FrontEnd => ({ address, port, scope: Scope.EVERYWHERE, flags: common }));
  if (nodePort === undefined) return frontEnds;
  const flags = common | ServiceFlag.NODE_PORT;
  for (const address of local.filter((address) => familyOf(address) === family)) {
    if (frontEnds.some((other) => other.address === address && other.port === nodePort)) continue;
    frontEnds.push({ address, port: nodePort, scope: Scope.EVERYWHERE, flags });
  }
  return [...frontEnds, { address: unspecified[family], port: nodePort, scope: Scope.NODE_PORT, flags }];
}

function notOurs(name: string, address: string, local: readonly string[]): LoadBalancerError {
  const family = local.filter((other) => familyOf(other) === familyOf(address));
  return new LoadBalancerError(
    `service ${JSON.stringify(name)} may not have the external address ${address}: it is none of this host's, ` +
    "and connections of its processes to another host would be taken over",
    { hint: `nothing was changed; this host has ${family.join(", ")}` },
  );
}
