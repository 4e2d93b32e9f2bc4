import { mkdirSync, statSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { attach, load, type Collection, type MapHandle, type MapDefinition, type Program } from "tsbpf";
import { cgroupRoot, possibleCpus, SocketDiagnosis } from "tsbpf/kernel";
import {
  removeCgroup,
  runIn,
  withCgroup,
  withNetworkNamespace,
  type Outcome,
  type Place,
} from "../../src/testing/index.ts";
import { withMaxEntries } from "../../src/types/index.ts";
import {
  defaultOptions,
  loadBalancerPrograms,
  maps4,
  maps6,
  optOutCgroups,
  optOutNamespaces,
  sources,
  type DataPathOptions,
  type Maps,
} from "../index.ts";
import { startBackends, type Backends } from "./backend-server.ts";
import { endpoint, entryText, type Endpoint } from "./endpoint.ts";
import { ServiceTable, type MapOpener, type ServiceProtocol } from "./service-table.ts";
import { SocketClient } from "./socket-client.ts";

/** The article's example: a service and its backends. */
export const SERVICE: Endpoint = { address: "100.0.0.1", port: 80 };
export const BACKENDS = ["20.0.0.1:80", "20.0.0.2:80"] as const;

/** The same for IPv6. */
export const SERVICE6: Endpoint = { address: "fd00:100::1", port: 80 };
export const BACKENDS6 = ["[fd00:20::1]:80", "[fd00:20::2]:80"] as const;

export interface DataPathSetup {
  readonly options?: Partial<DataPathOptions>;
  /** Addresses of the network namespace; by default those of `BACKENDS` and `BACKENDS6`. */
  readonly addresses?: readonly string[];
  /** Servers there; by default `BACKENDS` and `BACKENDS6` over TCP and UDP. */
  readonly backends?: Backends;
  /** Size of each reverse map; by default enough for any test. */
  readonly reverseEntries?: number;
  /** Loads and attaches the programs; by default our own loader. */
  readonly deploy?: Deploy;
  /** Whether to set up a container beside the host; default false. */
  readonly container?: boolean;
}

/** The identity of a process to the programs. */
export interface Identity {
  /** The cookie of its network namespace. */
  readonly netnsCookie: bigint;
  /** Ids of its cgroup and the ones above, indexed by depth below the root of the hierarchy. */
  readonly cgroupIds: readonly bigint[];
}

/** Owner of a socket. The container has its own network namespace and a cgroup two levels below the host's. */
export type Party = "host" | "container";

/** Loads programs and attaches them to a cgroup while `work` runs with the loaded collection. */
export type Deploy = <T>(
  programs: readonly Program[],
  cgroup: string,
  work: (collection: Collection) => Promise<T>,
) => Promise<T>;

/** The load balancer's programs attached to one cgroup and network namespace; tests fill the maps. */
export class DataPath {
  readonly #collection: Collection;
  readonly #families: readonly Maps[];
  readonly #clients: SocketClient[] = [];
  /** Cgroup and network namespace of the host's processes. */
  readonly place: Required<Place>;
  readonly #container: Required<Place> | undefined;
  readonly services: ServiceTable;

  /** @param families the programs' maps: IPv6's only in a build with `ipv6` */
  constructor(
    collection: Collection,
    families: readonly Maps[],
    place: Required<Place>,
    options: DataPathOptions,
    container?: Required<Place>,
  ) {
    this.#collection = collection;
    this.#families = families;
    this.place = place;
    this.#container = container;
    this.services = new ServiceTable(
      ((definition) => collection.map(definition)) as MapOpener,
      options.metrics ? possibleCpus() : 0,
    );
  }

  /** The IPv4 reverse map. */
  get reverse(): MapHandle<Maps["reverseSk"]> {
    return this.#collection.map(maps4.reverseSk);
  }

  /** A handle on a map of the programs. */
  map<D extends MapDefinition>(definition: D): MapHandle<D> {
    return this.#collection.map(definition);
  }

  /** Adds or changes a service, as the control plane does. @param affinityTimeout in seconds */
  setService(
    service: Endpoint,
    protocol: ServiceProtocol,
    backends: readonly string[],
    revNatIndex = 1,
    affinityTimeout = 0,
  ): void {
    this.services.set(service, protocol, backends, { revNatIndex, affinityTimeout });
  }

  removeService(service: Endpoint, protocol: ServiceProtocol): void {
    this.services.remove(service, protocol);
  }

  /** Cgroup and network namespace of a party's processes. */
  placeOf(party: Party): Required<Place> {
    const place = party === "host" ? this.place : this.#container;
    if (place === undefined) throw new Error("this data path was set up without a container");
    return place;
  }

  /** The identity of a party's processes to the programs. */
  identity(party: Party): Identity {
    const { cgroup, networkNamespace } = this.placeOf(party);
    return { netnsCookie: netnsCookie(networkNamespace), cgroupIds: cgroupIds(cgroup) };
  }

  /** Starts a client process. `reset` ends it. */
  client(party: Party = "host"): SocketClient {
    const client = new SocketClient(this.placeOf(party));
    this.#clients.push(client);
    return client;
  }

  /** Runs a command in the host's cgroup and network namespace. */
  run(command: string, ...args: readonly string[]): Promise<Outcome> {
    return runIn(this.place, command, ...args);
  }

  /** All reverse maps as sorted text, to compare with `reverseEntry`. */
  reverseEntries(): string[] {
    return this.#families
      .flatMap(({ reverseSk }) => Array.from(this.#collection.map(reverseSk), ([key, value]) => entryText(key, value)))
      .sort();
  }

  /** Ends the clients and clears the maps. */
  async reset(): Promise<void> {
    for (const client of this.#clients.splice(0)) await client.kill();
    this.clear();
  }

  /** Removes services, exemptions and the clients' sources. */
  clear(): void {
    const ofFamilies = this.#families.flatMap(({ affinity, skip }) => [affinity, skip]);
    for (const definition of [...ofFamilies, optOutNamespaces, optOutCgroups, sources] as MapDefinition[]) {
      if (!this.#collection.maps.has(definition.name)) continue;
      const map = this.#collection.map(definition);
      for (const key of [...map.keys()]) map.delete(key);
    }
    this.services.clear(this.#families);
  }
}

/** Map sizes large enough for tests and quick to create. */
const maxEntries: Readonly<Record<string, number>> = Object.fromEntries(
  [maps4, maps6].flatMap(({ services, slots }) => [
    [services.name, 1024],
    [slots.name, 4096],
  ]),
);

function inTestSize(program: Program, reverseEntries: number): Program {
  const sizeOf = ({ name, maxEntries: declared }: MapDefinition) =>
    name === maps4.reverseSk.name || name === maps6.reverseSk.name ? reverseEntries : (maxEntries[name] ?? declared);
  return { ...program, maps: program.maps.map((map) => withMaxEntries(map, sizeOf(map))) };
}

const deployByLoader: Deploy = async (programs, cgroup, work) => {
  using collection = load(programs);
  const attached = attach(collection, { cgroup });
  try {
    return await work(collection);
  } finally {
    attached.close();
  }
};

const everyBackend = [...BACKENDS, ...BACKENDS6];

/** Runs `work` with the programs attached to a new cgroup, and backends in a new network namespace. */
export async function withDataPath<T>(setup: DataPathSetup, work: (dataPath: DataPath) => Promise<T>): Promise<T> {
  const {
    addresses = everyBackend.map((text) => endpoint(text).address),
    backends = { tcp: everyBackend, udp: everyBackend },
    reverseEntries = 16_384,
    deploy = deployByLoader,
  } = setup;
  return withNetworkNamespace(addresses, (networkNamespace) =>
    withCgroup((cgroup) => {
      const options = { ...defaultOptions, ...setup.options, hostNetnsCookie: netnsCookie(networkNamespace) };
      const programs = loadBalancerPrograms(options).map((source) => inTestSize(source.compile(), reverseEntries));
      return deploy(programs, cgroup, async (collection) => {
        const servers = [await startBackends({ networkNamespace }, backends)];
        let dataPath: DataPath | undefined;
        const use = async (container?: Required<Place>) => {
          if (container !== undefined)
            servers.push(await startBackends({ networkNamespace: container.networkNamespace }, backends));
          dataPath = new DataPath(
            collection,
            options.ipv6 ? [maps4, maps6] : [maps4],
            { cgroup, networkNamespace },
            options,
            container,
          );
          return work(dataPath);
        };
        try {
          return await (setup.container ? withContainer(cgroup, addresses, use) : use());
        } finally {
          for (const server of servers) server.kill();
          await dataPath?.reset();
        }
      });
    }),
  );
}

/** Runs `work` with a network namespace that has the same addresses, and a cgroup two levels below the host's. */
function withContainer<T>(
  cgroup: string,
  addresses: readonly string[],
  work: (place: Required<Place>) => Promise<T>,
): Promise<T> {
  return withNetworkNamespace(addresses, async (networkNamespace) => {
    const pod = join(cgroup, "pod");
    const container = join(pod, "container");
    mkdirSync(container, { recursive: true });
    try {
      return await work({ cgroup: container, networkNamespace });
    } finally {
      await removeCgroup(container);
      await removeCgroup(pod);
    }
  });
}

/** The cookie that bpf_get_netns_cookie returns in a network namespace. */
function netnsCookie(name: string): bigint {
  using diagnosis = new SocketDiagnosis(`/run/netns/${name}`);
  const cookie = diagnosis.namespaceCookie();
  if (cookie === undefined)
    throw new Error("this kernel cannot read a network namespace's cookie: use Linux 5.14 or newer");
  return cookie;
}

/** The ids of a cgroup and those above it: the inode numbers of their directories. */
function cgroupIds(cgroup: string): bigint[] {
  const root = cgroupRoot();
  const parts = relative(root, cgroup).split(sep);
  return [root, ...parts.map((_, i) => join(root, ...parts.slice(0, i + 1)))].map(
    (directory) => statSync(directory, { bigint: true }).ino,
  );
}
