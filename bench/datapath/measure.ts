/** Rounds in which the sides take turns at the same work, and their medians. */
import { linux } from "tsbpf/kernel";
import type { Client, Operation } from "./client.ts";
import { Side, type Place } from "./place.ts";
import { addressesFor, destinations, type Target } from "./services.ts";

export interface Settings {
  /** The numbers of clients to measure with. */
  readonly processors: readonly number[];
  readonly rounds: number;
  readonly operations: readonly Operation[];
  /** Called between steps; throws if the user interrupts. */
  readonly check: () => void;
  /** Receives progress messages. */
  readonly progress: (text: string) => void;
}

/** One side doing one thing. */
export interface Measurement {
  readonly services: number;
  /** The number of processors working at the same time. */
  readonly processors: number;
  readonly side: string;
  readonly operation: Operation;
  readonly target: Target;
  /** Nanoseconds per run by program: medians over the rounds. */
  readonly programs: Readonly<Record<string, number>>;
  /**
   * Processor nanoseconds of the whole operation: the mean over processors and the median over rounds, without
   * the kernel's statistics.
   */
  readonly operationNs?: number;
}

/** Repetitions per round, for one or two milliseconds. */
const counts: Readonly<Record<Operation, number>> = {
  connect: 1000,
  exchange: 250,
  getpeername: 2000,
  "new-connect": 400,
  "new-exchange": 200,
  tcp: 100,
};
const throughNetfilter: ReadonlySet<Operation> = new Set(["exchange", "new-exchange", "tcp"]);

interface Task {
  readonly place: Place;
  readonly operation: Operation;
  readonly target: Target;
}

export async function measure(
  places: readonly Place[],
  services: number,
  { processors, rounds, operations, check, progress }: Settings,
): Promise<Measurement[]> {
  const measurements: Measurement[] = [];
  for (const clients of processors) {
    const samples = new Map<Task, { readonly programs: Map<string, number[]>; readonly operation: number[] }>(
      tasksOf(places, clients, operations).map((task) => [task, { programs: new Map(), operation: [] }]),
    );
    for (let round = 0; round < rounds; round++) {
      progress(
        `${services} services, ${clients} ${clients === 1 ? "processor" : "processors"}: round ${round + 1} of ` +
          `${rounds}`,
      );
      const statistics = linux.enableStatistics();
      try {
        for (const [task, { programs }] of samples) {
          check();
          if (task.place.collection === undefined) continue;
          for (const [name, ns] of (await runTask(task, clients, services)).programs)
            programs.set(name, [...(programs.get(name) ?? []), ns]);
        }
      } finally {
        statistics.close();
      }
      // The statistics cost more than some programs, so whole operations are measured without them.
      for (const [task, { operation }] of samples) {
        check();
        operation.push((await runTask(task, clients, services)).operation);
      }
    }
    for (const [
      {
        place: { side },
        operation,
        target,
      },
      sample,
    ] of samples) {
      measurements.push({
        services,
        processors: clients,
        side,
        operation,
        target,
        programs: Object.fromEntries([...sample.programs].map(([name, values]) => [name, median(values)])),
        ...(sample.operation.length > 0 && { operationNs: median(sample.operation) }),
      });
    }
  }
  return measurements;
}

/** Compared tasks run close to each other in time. */
function tasksOf(places: readonly Place[], clients: number, operations: readonly Operation[]): Task[] {
  return operations.flatMap((operation) =>
    (["service", "foreign"] as const).flatMap((target) =>
      places
        .filter((place) => place.clients.length >= clients)
        .filter(
          ({ side }) =>
            (side !== Side.STREAMS || operation === "tcp") &&
            (side !== Side.ALONE || (operation !== "tcp" && target === "service")),
        )
        .filter(({ translates, collection }) =>
          target === "foreign"
            ? !translates || collection !== undefined
            : translates && (collection !== undefined || throughNetfilter.has(operation)),
        )
        .map((place) => ({ place, operation, target })),
    ),
  );
}

/**
 * Runs one side's loop; returns nanoseconds per run of each program, if the kernel keeps statistics, and of the
 * whole operation.
 */
export async function runTask(
  { place, operation, target }: Task,
  clients: number,
  services: number,
): Promise<{ programs: Map<string, number>; operation: number }> {
  const running = place.clients.slice(0, clients);
  const loop = {
    operation,
    count: counts[operation],
    destinations: destinations(target, addressesFor(services)),
    fromDestination: true,
  };
  await each(running, (client) => client.prepare(loop));
  const before = counters(place);
  const processorTimes = await each(running, (client) => client.run());
  const programs = new Map<string, number>();
  for (const [name, { runs, nanoseconds }] of counters(place)) {
    const ran = runs - before.get(name)!.runs;
    if (ran > 0) programs.set(name, (nanoseconds - before.get(name)!.nanoseconds) / ran);
  }
  for (const client of running) client.end();
  return { programs, operation: processorTimes.reduce((sum, ns) => sum + ns, 0) / clients / loop.count };
}

const each = <T>(clients: readonly Client[], work: (client: Client) => Promise<T>): Promise<T[]> =>
  Promise.all(clients.map(work));

function counters({ collection }: Place): Map<string, { runs: number; nanoseconds: number }> {
  return new Map(
    [...(collection?.programs ?? [])].map(([name, { fd }]) => {
      const { runCount, runTimeNs } = linux.programInfo(fd);
      return [name, { runs: Number(runCount), nanoseconds: Number(runTimeNs) }];
    }),
  );
}

export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!;
}

/** Reverse NAT entries left after all sockets were closed. */
export async function countLeftovers(places: readonly Place[]): Promise<{ side: string; entries: number }[]> {
  const found: { side: string; entries: number }[] = [];
  for (const { side, clients, collection, reverse } of places) {
    if (collection === undefined || reverse === undefined) continue;
    // Once this is prepared, everything earlier has been closed.
    await each(clients, (client) =>
      client.prepare({
        operation: "new-connect",
        count: 0,
        destinations: destinations("foreign", 1),
        fromDestination: true,
      }),
    );
    found.push({ side, entries: collection.map(reverse).count() });
  }
  return found;
}
