/** The services of the measurement: each address has one over TCP and one over UDP, with ten backends of its own each. */
export const PORT = 80;
export const BACKEND_PORT = 9000;
export const BACKENDS = 10;

/** As many services as are asked for, but one of each protocol at least. */
export const addressesFor = (services: number): number => Math.max(1, services >> 1);

const FIRST_SERVICE = (10 << 24) + (96 << 16);
/** All of 127.0.0.0/8 is local: a process that listens on every address is there. */
const FIRST_BACKEND = (127 << 24) + (64 << 16);

const protocols = [17, 6] as const;

export interface Backend {
  readonly address: string;
  readonly port: number;
}

export interface Service {
  /** From 1 on; names the service in reverse entries. */
  readonly index: number;
  readonly address: string;
  readonly port: number;
  readonly protocol: (typeof protocols)[number];
  /** Number of its first backend among all services' backends. */
  readonly firstBackend: number;
  readonly backends: readonly Backend[];
}

/** All of them. */
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

/** A row of destinations, as the client takes it. */
export interface Destinations {
  readonly first: number;
  readonly stride: number;
  readonly count: number;
  readonly port: number;
}

/** `service`: the services' addresses; `foreign`: one backend of each, which is no service. */
export type Target = "service" | "foreign";

export function destinations(target: Target, addresses: number): Destinations {
  return target === "service"
    ? { first: FIRST_SERVICE, stride: 1, count: addresses, port: PORT }
    : { first: FIRST_BACKEND, stride: protocols.length * BACKENDS, count: addresses, port: BACKEND_PORT };
}

/** What the services' addresses are routed by where something on the way translates them. */
export const SERVICE_NETWORK = "10.96.0.0/12";

const ipv4Text = (address: number): string =>
  `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`;
