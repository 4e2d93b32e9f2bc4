/** The measured services: each address has one over TCP and one over UDP, with ten backends each. */
export const PORT = 80;
export const BACKEND_PORT = 9000;
export const BACKENDS = 10;

/** The number of addresses for a number of services; at least one. */
export const addressesFor = (services: number): number => Math.max(1, services >> 1);

const FIRST_SERVICE = (10 << 24) + (96 << 16);
/** All of 127.0.0.0/8 is local: a process that listens on every address has it. */
const FIRST_BACKEND = (127 << 24) + (64 << 16);

const protocols = [17, 6] as const;

export interface Backend {
  readonly address: string;
  readonly port: number;
}

export interface Service {
  /** Counts from 1; identifies the service in reverse NAT entries. */
  readonly index: number;
  readonly address: string;
  readonly port: number;
  readonly protocol: (typeof protocols)[number];
  /** The index of its first backend among all backends. */
  readonly firstBackend: number;
  readonly backends: readonly Backend[];
}

/** The services for a number of services. */
export function servicesOf(services: number): Service[] {
  return Array.from({ length: addressesFor(services) }, (_, i) =>
    protocols.map((protocol, p): Service => {
      const firstBackend = (i * protocols.length + p) * BACKENDS;
      return {
        index: i * protocols.length + p + 1,
        address: ipv4Text(FIRST_SERVICE + i),
        port: PORT,
        protocol,
        firstBackend,
        backends: Array.from({ length: BACKENDS }, (_, k) => ({
          address: ipv4Text(FIRST_BACKEND + firstBackend + k),
          port: BACKEND_PORT,
        })),
      };
    }),
  ).flat();
}

/** A range of destinations, in the client's form. */
export interface Destinations {
  readonly first: number;
  readonly stride: number;
  readonly count: number;
  readonly port: number;
}

/** `service`: the services' addresses; `foreign`: one backend of each, which is not a service. */
export type Target = "service" | "foreign";

export function destinations(target: Target, addresses: number): Destinations {
  return target === "service"
    ? { first: FIRST_SERVICE, stride: 1, count: addresses, port: PORT }
    : { first: FIRST_BACKEND, stride: protocols.length * BACKENDS, count: addresses, port: BACKEND_PORT };
}

/** The route of the services' addresses, where something on the way translates them. */
export const SERVICE_NETWORK = "10.96.0.0/12";

const ipv4Text = (address: number): string =>
  `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`;
