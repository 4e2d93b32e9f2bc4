/** The load balancer's programs at work for the sockets of a test cgroup; their maps are filled by hand. */
import { generation, type Maps } from "../../programs/index.ts";
import { attach, load, type Collection } from "../../src/loader/index.ts";
import { inTestCgroup, type TestCgroup } from "./cgroup.ts";
import { fullPrograms } from "./configurations.ts";
import type { Endpoint } from "./socket.ts";

const protocolNumber = { tcp: 6, udp: 17 } as const;
export type Protocol = keyof typeof protocolNumber;

/** Sizes that are quick to make. */
const MAX_ENTRIES = 1024;

export class TestDataPath {
  readonly cgroup: TestCgroup;
  readonly #collection: Collection;
  #nextSlot = 0;

  constructor(cgroup: TestCgroup, collection: Collection) {
    this.cgroup = cgroup;
    this.#collection = collection;
  }

  /** Gives a service its backends, in the order that the control plane has: slots, service, generation. */
  setService({ services, slots }: Maps, { address, port }: Endpoint, protocol: Protocol, backends: readonly Endpoint[]): void {
    const base = this.#nextSlot;
    this.#nextSlot += backends.length;
    backends.forEach((backend, i) => this.#collection.map(slots).set(base + i, { ...backend, state: 0 }));
    this.#collection.map(services).set(
      { address, port, protocol: protocolNumber[protocol], scope: 0 },
      { base, count: backends.length, revNatIndex: 1, flags: 0, affinityTimeout: 0 },
    );
    const announced = this.#collection.map(generation);
    announced.set(0, announced.get(0)! + 1);
  }

  /** Entries in the reverse map of an address family. */
  reverseEntries({ reverseSk }: Maps): number {
    return this.#collection.map(reverseSk).count();
  }
}

/** Runs `use` with the programs attached to a cgroup of its own. */
export function withDataPath<T>(use: (dataPath: TestDataPath) => T): Promise<T> {
  return inTestCgroup(async (cgroup) => {
    const programs = await fullPrograms();
    const large = programs.flatMap(({ maps }) => maps).filter((map) => map.maxEntries > MAX_ENTRIES);
    using collection = load(programs, { maxEntries: Object.fromEntries(large.map(({ name }) => [name, MAX_ENTRIES])) });
    const attached = attach(collection, { cgroup: cgroup.path });
    try {
      return use(new TestDataPath(cgroup, collection));
    } finally {
      attached.close();
    }
  });
}
