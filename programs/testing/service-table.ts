import { decodeValue, type Infer, type MapDefinition } from "tsbpf";
import {
  BackendState,
  Counters,
  filterWords,
  generation,
  maps4,
  maps6,
  NO_SERVICE,
  Scope,
  type Maps,
} from "../index.ts";
import { endpoint, endpointText, type Endpoint } from "./endpoint.ts";

const protocolNumber = { tcp: 6, udp: 17, udplite: 136 } as const;
export type ServiceProtocol = keyof typeof protocolNumber;

/** The common part of a kernel map's handle and a simulated one's. */
export interface MapAccess<K, V> {
  get(key: K): V | undefined;
  set(key: K, value: V): void;
  delete(key: K): boolean;
  keys(): Iterable<K>;
  [Symbol.iterator](): Iterator<readonly [K, V]>;
}

/** Opens a map. */
export type MapOpener = <D extends MapDefinition>(definition: D) => MapAccess<Infer<D["key"]>, Infer<D["value"]>>;

export interface ServiceSettings {
  readonly revNatIndex?: number;
  /** Seconds. */
  readonly affinityTimeout?: number;
  /** `ServiceFlag`s. */
  readonly flags?: number;
}

/** Writes services to the load balancer's maps in the control plane's order. */
export class ServiceTable {
  readonly #open: MapOpener;
  readonly #cpus: number;
  /** The first slot that was never used. */
  #nextSlot = 0;

  /** @param cpus number of CPUs to make counters for; 0 for programs built without counters */
  constructor(open: MapOpener, cpus: number) {
    this.#open = open;
    this.#cpus = cpus;
  }

  /** Adds or changes a service: first new slots, then its value in one write, then the generation. */
  set(
    service: Endpoint,
    protocol: ServiceProtocol,
    backends: readonly string[],
    { revNatIndex = 1, affinityTimeout = 0, flags = 0 }: ServiceSettings = {},
  ): void {
    const maps = mapsFor(service.address);
    if (this.#cpus > 0) this.#makeCounters(maps, revNatIndex);
    const base = this.#nextSlot;
    this.#nextSlot += backends.length;
    const members = this.#open(maps.backends);
    const wanted = new Set(backends);
    const gone = [...members.keys()].filter((key) => key.revNatIndex === revNatIndex && !wanted.has(endpointText(key)));
    backends.forEach((backend, i) => {
      this.#open(maps.slots).set(base + i, { ...endpoint(backend), state: BackendState.ACTIVE });
      members.set({ ...endpoint(backend), revNatIndex }, BackendState.ACTIVE);
    });
    const key = serviceKey(service, protocol);
    this.#setBits(maps.serviceFilter, filterWords([service]));
    this.#open(maps.services).set(key, {
      key,
      range: { base, count: backends.length },
      revNatIndex,
      flags,
      affinityTimeout,
    });
    for (const member of gone) members.delete(member);
    this.announce();
  }

  remove(service: Endpoint, protocol: ServiceProtocol): void {
    const maps = mapsFor(service.address);
    const services = this.#open(maps.services);
    const key = serviceKey(service, protocol);
    const revNatIndex = services.get(key)?.revNatIndex;
    services.delete(key);
    this.#narrowFilter(maps, [key]);
    const members = this.#open(maps.backends);
    for (const member of [...members.keys()]) if (member.revNatIndex === revNatIndex) members.delete(member);
    if (this.#cpus > 0 && revNatIndex !== undefined) this.#open(maps.metrics).delete(revNatIndex);
    this.announce();
  }

  /** Sets a backend's state to terminating: its flows stay. */
  terminate(backend: string, revNatIndex = 1): void {
    const { address, port } = endpoint(backend);
    this.#open(mapsFor(address).backends).set({ address, port, revNatIndex }, BackendState.TERMINATING);
    this.announce();
  }

  /** Reserves a node port. @param unspecified the port, with the family's unspecified address */
  reserve(unspecified: Endpoint, protocol: ServiceProtocol): void {
    const key = { ...serviceKey(unspecified, protocol), scope: Scope.NODE_PORT };
    this.#open(mapsFor(unspecified.address).services).set(key, {
      key,
      range: { base: 0, count: 0 },
      revNatIndex: 1,
      flags: 0,
      affinityTimeout: 0,
    });
    this.announce();
  }

  /** Creates the counters of a service, and those of no service, unless they exist. */
  #makeCounters({ metrics }: Maps, revNatIndex: number): void {
    const map = this.#open(metrics);
    // One value per CPU: the type of `MapAccess` does not know per-CPU maps.
    const zero = Array.from({ length: this.#cpus }, () =>
      decodeValue(Counters, new Uint8Array(Counters.size)),
    ) as unknown as Infer<typeof Counters>;
    for (const index of [NO_SERVICE, revNatIndex]) if (map.get(index) === undefined) map.set(index, zero);
  }

  /** Removes every service. */
  clear(families: readonly Maps[]): void {
    for (const maps of families) {
      const { services, backends, metrics } = maps;
      const removed = [...this.#open(services).keys()];
      const emptied = [
        this.#open(services),
        this.#open(backends),
        ...(this.#cpus > 0 ? [this.#open(metrics)] : []),
      ] as MapAccess<unknown, unknown>[];
      for (const map of emptied) for (const key of [...map.keys()]) map.delete(key);
      this.#narrowFilter(maps, removed);
    }
    this.announce();
    this.#nextSlot = 0;
  }

  #setBits(map: Maps["serviceFilter"], words: ReadonlyMap<number, bigint>): void {
    const filter = this.#open(map);
    for (const [word, bits] of words) filter.set(word, filter.get(word)! | bits);
  }

  /** Clears the filter bits that no remaining service needs. */
  #narrowFilter(maps: Maps, removed: readonly Endpoint[]): void {
    const filter = this.#open(maps.serviceFilter);
    const needed = filterWords([...this.#open(maps.services).keys()].filter(({ scope }) => scope === Scope.EVERYWHERE));
    for (const word of filterWords(removed).keys()) filter.set(word, needed.get(word) ?? 0n);
  }

  /** Bumps the generation, so that programs check their flows again. */
  announce(): void {
    const map = this.#open(generation);
    map.set(0, map.get(0)! + 1);
  }
}

export const serviceKey = ({ address, port }: Endpoint, protocol: ServiceProtocol) => ({
  address,
  port,
  protocol: protocolNumber[protocol],
  scope: Scope.EVERYWHERE,
});

export const mapsFor = (address: string): Maps => (address.includes(":") ? maps6 : maps4);
