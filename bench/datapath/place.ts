/**
 * The surroundings of each side: clients in their own network namespaces, with programs on their cgroup, rules
 * in their namespace, or neither.
 */
import { availableParallelism } from "node:os";
import { attach, load, type Collection, type MapDefinition, type Program } from "tsbpf";
import { runTool, withCgroup, withNetworkNamespace } from "../../src/testing/index.ts";
import { balancerPrograms, balancerSizes, floorPrograms, writeToBalancer } from "./balancer.ts";
import { Client } from "./client.ts";
import { netfilterKinds, whyNot, writeRules, type NetfilterKind } from "./netfilter.ts";
import { peerPrograms, peerReverse, peerSizes, writeToPeer } from "./peer.ts";
import { reverseSk } from "../../programs/index.ts";
import { SERVICE_NETWORK, servicesOf, type Service } from "./services.ts";

/** Names of the sides in tables. */
export const Side = {
  DIRECT: "direct",
  FLOOR: "return 1",
  PEER: "C",
  OURS: "tsbpf",
  STREAMS: "tsbpf, getpeername: service",
  ALONE: "tsbpf, reverseEntries: older",
} as const;

export interface Place {
  readonly side: string;
  /** One client per measured processor. */
  readonly clients: readonly Client[];
  /** The programs; absent for `direct` and netfilter. */
  readonly collection?: Collection;
  /** The map of remembered flows. */
  readonly reverse?: MapDefinition;
  /** Whether services are reachable from here. */
  readonly translates: boolean;
}

export const processors = Math.min(2, availableParallelism());

/** With more services, rules take minutes to load. */
const MOST_RULES = 10_000;

export interface ProgramSide {
  readonly side: string;
  readonly programs: readonly Program[];
  /** Map sizes for a number of services. */
  readonly sizes?: (services: number) => Readonly<Record<string, number>>;
  readonly reverse?: MapDefinition;
  readonly write?: (collection: Collection, added: readonly Service[]) => void;
}

export interface Setup {
  /** The compiled client. */
  readonly executable: string;
  readonly services: number;
  /** Whether to measure netfilter. */
  readonly netfilter: boolean;
  /** Receives notes on what cannot be measured. */
  readonly note: (text: string) => void;
}

/** Runs `work` with every side that can be measured here, with its services written. */
export async function withPlaces<T>(setup: Setup, work: (places: readonly Place[]) => Promise<T>): Promise<T> {
  const programSides: readonly ProgramSide[] = [
    { side: Side.FLOOR, programs: floorPrograms() },
    { side: Side.PEER, programs: peerPrograms(), sizes: peerSizes, reverse: peerReverse, write: writeToPeer },
    { side: Side.OURS, programs: balancerPrograms(), sizes: balancerSizes, reverse: reverseSk, write: writeToBalancer },
    {
      side: Side.STREAMS,
      programs: balancerPrograms({ rememberStreams: true }),
      sizes: balancerSizes,
      reverse: reverseSk,
      write: writeToBalancer,
    },
    {
      side: Side.ALONE,
      programs: balancerPrograms({ recentInReverseMap: false }),
      sizes: balancerSizes,
      reverse: reverseSk,
      write: writeToBalancer,
    },
  ];
  const openers: ((next: (place: Place) => Promise<T>, skip: () => Promise<T>) => Promise<T>)[] = [
    (next) => withDirect(setup, next),
    ...programSides.map((side) => (next: (place: Place) => Promise<T>) => withPrograms(setup, side, next)),
    ...(setup.netfilter && setup.services <= MOST_RULES ? netfilterKinds : []).map(
      (kind) => (next: (place: Place) => Promise<T>, skip: () => Promise<T>) => withRules(setup, kind, next, skip),
    ),
  ];
  const open = (index: number, places: readonly Place[]): Promise<T> =>
    index === openers.length
      ? work(places)
      : openers[index]!(
          (place) => open(index + 1, [...places, place]),
          () => open(index + 1, places),
        );
  return open(0, []);
}

function withDirect<T>({ executable }: Setup, work: (place: Place) => Promise<T>): Promise<T> {
  return withClients(executable, processors, undefined, (clients) =>
    work({ side: Side.DIRECT, clients, translates: false }),
  );
}

export function withPrograms<T>(
  { executable, services }: Pick<Setup, "executable" | "services">,
  { side, programs, sizes, reverse, write }: ProgramSide,
  work: (place: Place) => Promise<T>,
): Promise<T> {
  return withCgroup(async (cgroup) => {
    using collection = load(programs, { maxEntries: sizes?.(services) ?? {} });
    write?.(collection, servicesOf(services));
    const attached = attach(collection, { cgroup });
    try {
      return await withClients(executable, processors, cgroup, (clients) =>
        work({ side, clients, collection, ...(reverse && { reverse }), translates: write !== undefined }),
      );
    } finally {
      attached.close();
    }
  });
}

function withRules<T>(
  { executable, services, note }: Setup,
  kind: NetfilterKind,
  work: (place: Place) => Promise<T>,
  skip: () => Promise<T>,
): Promise<T> {
  return withClients(executable, 1, undefined, (clients, [networkNamespace]) => {
    const why = whyNot(kind, networkNamespace!);
    if (why !== undefined) {
      note(`${kind.name}: ${why}.`);
      return skip();
    }
    writeRules(kind, networkNamespace!, servicesOf(services));
    // Without a route, a call fails before its address is translated.
    runTool("ip", "-n", networkNamespace!, "route", "add", "local", SERVICE_NETWORK, "dev", "lo", "src", "127.0.0.1");
    return work({ side: kind.name, clients, translates: true });
  });
}

/** The first client runs on the first processor, and so on. */
function withClients<T>(
  executable: string,
  count: number,
  cgroup: string | undefined,
  work: (clients: readonly Client[], networkNamespaces: readonly string[]) => Promise<T>,
): Promise<T> {
  const open = (clients: readonly Client[], networkNamespaces: readonly string[]): Promise<T> =>
    clients.length === count
      ? work(clients, networkNamespaces)
      : withNetworkNamespace([], async (networkNamespace) => {
          const client = await Client.start(executable, { networkNamespace, cgroup, processor: clients.length });
          try {
            return await open([...clients, client], [...networkNamespaces, networkNamespace]);
          } finally {
            await client.close();
          }
        });
  return open([], []);
}
