/**
 * Listens to translations. While a monitor listens, the programs begin with a
 * tail call to variants that emit events. The kernel drops these when the
 * monitor's process ends, even by a kill: the programs then work as the plain
 * ones. The pins keep naming the plain programs, so that the monitor's end, and
 * after a kill the next `load` or monitor, restores them.
 */
import { fstatSync, statSync } from "node:fs";
import { events, eventsLost, generation, loadBalancerPrograms } from "../../../programs/index.ts";
import type { Program } from "../../asm/index.ts";
import { openDirectory, tryLock, type Fd } from "../../kernel/index.ts";
import {
  checkManager,
  instructionSetLevel,
  load,
  readRingBuffer,
  replaceTemporarily,
  Rollback,
  switchable,
  type Collection,
  type PinDirectory,
  type RingBufferReader,
  type TemporaryPrograms,
} from "../../loader/index.ts";
import type { Infer } from "../../types/index.ts";
import {
  builtOptions,
  exclusively,
  loadedPins,
  nothingLoaded,
  pinnedFamilies,
  pinnedSizes,
  readBuiltOptions,
} from "../apply/index.ts";
import { LoadBalancerError, type AddressFamily } from "../model/index.ts";
import { translationEvent, type TranslationEvent } from "./events.ts";
import { callsOthers, listenersDirectory } from "./listening.ts";
import { serviceNames } from "./service-names.ts";

/** Waiting time for the lock, in milliseconds: `status` holds it briefly. */
const PATIENCE = 500;
const PAUSE = 20;

/** The most events of one `read`: programs can emit them faster than they can be read. */
const READ_AT_ONCE = 4096;

/** Programs that emit events, the programs at the links that call them, and the reader of the events. */
interface Listening {
  readonly emitting: Collection;
  readonly calling: Collection;
  readonly programs: TemporaryPrograms;
  readonly reader: RingBufferReader<Infer<typeof events.value>>;
}

/** The result of `check`. */
export type MonitorState =
  /** The programs are in place. */
  | "listening"
  /** The load balancer was loaded again, and the monitor listens again. */
  | "again"
  /** The load balancer is gone. */
  | "unloaded";

/**
 * Listens to the translations of a loaded load balancer. There is one monitor
 * at a time. Calls take longer while it listens.
 *
 * @example
 * ```ts
 * import { setTimeout } from "node:timers/promises";
 * import { Monitor } from "tsbpf/lb";
 *
 * const monitor = await Monitor.open("/sys/fs/bpf/tsbpf");
 * try {
 *   while ((await monitor.check()) !== "unloaded") {
 *     for (const { kind, service, translated } of monitor.read()) console.log(kind, service, translated);
 *     await setTimeout(20);
 *   }
 * } finally {
 *   await monitor.close();
 * }
 * ```
 */
export class Monitor {
  readonly #directory: string;
  readonly #lock: Fd;
  readonly #names = new Map<AddressFamily, ReadonlyMap<number, string>>();
  #generation: number | undefined;
  #listening: Listening | undefined;
  #closed = false;
  /** Events lost by former programs. */
  #lostBefore = 0n;
  /** Events of former programs that `read` has not returned yet. */
  readonly #leftOver: TranslationEvent[] = [];

  private constructor(directory: string, lock: Fd) {
    this.#directory = directory;
    this.#lock = lock;
  }

  /**
   * Starts to listen.
   * @param directory the pin directory
   * @throws {LoadBalancerError} if nothing is loaded, or another monitor listens
   * @throws {BpfError | VerifierError | LoaderError} if the kernel refuses the programs; everything is as it was
   */
  static async open(directory: string): Promise<Monitor> {
    checkManager();
    const pins = loadedPins(directory);
    if (pins === undefined) throw nothingLoaded(directory);
    const monitor = new Monitor(directory, await takeLock(pins));
    try {
      if (!(await monitor.#listen()))
        throw new LoadBalancerError(`cannot listen: the load balancer at ${directory} is being unloaded`);
      return monitor;
    } catch (error) {
      monitor.#lock.close();
      throw error;
    }
  }

  /** The events since the last call, oldest first, at most 4096 of the current programs. */
  read(): TranslationEvent[] {
    const events = this.#drain(READ_AT_ONCE, () => this.#refreshNames());
    return [...this.#leftOver.splice(0), ...events];
  }

  /** The number of events lost since the start: the ring buffer was full. */
  get lost(): bigint {
    return this.#lostBefore + (this.#listening === undefined ? 0n : lostIn(this.#listening));
  }

  /**
   * Checks that the programs are in place, and puts them there again if the
   * load balancer was loaded again. Calls in between have no events. Throws
   * like `open`.
   */
  async check(): Promise<MonitorState> {
    if (this.#listening?.programs.inPlace() === true && this.#isSame()) return "listening";
    return (await this.#listen()) ? "again" : "unloaded";
  }

  /** Restores the plain programs, after other commands have ended. @throws {BpfError} */
  async close(): Promise<void> {
    if (this.#closed) return;
    // Without the lock too, no other program is replaced: links are compared as they are restored.
    await exclusively(
      () => (this.#isSame() ? this.#directory : undefined),
      () => this.closeNow(),
    );
  }

  /** Restores the plain programs without waiting for other commands. @throws {BpfError} */
  closeNow(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#stop();
    this.#lock.close();
  }

  /** Whether the loaded load balancer is the one whose lock this monitor holds. */
  #isSame(): boolean {
    const pins = loadedPins(this.#directory);
    return (
      pins !== undefined &&
      statSync(listenersDirectory(pins), { throwIfNoEntry: false })?.ino === fstatSync(this.#lock.number).ino
    );
  }

  /** Puts programs in place that emit events; false if nothing is loaded. */
  #listen(): Promise<boolean> {
    return exclusively(
      () => (this.#isSame() ? this.#directory : undefined),
      (directory) => {
        const pins = directory === undefined ? undefined : loadedPins(directory);
        this.#stop();
        if (pins === undefined) return false;
        this.#readNames(pins);
        this.#listening = startListening(pins);
        return true;
      },
    );
  }

  #stop(): void {
    if (this.#listening === undefined) return;
    const { emitting, calling, programs, reader } = this.#listening;
    try {
      programs.restore();
    } finally {
      this.#leftOver.push(...this.#drain());
      this.#lostBefore = this.lost;
      this.#listening = undefined;
      reader.close();
      calling.close();
      emitting.close();
    }
  }

  /** @param prepare called before the first event */
  #drain(limit?: number, prepare = () => {}): TranslationEvent[] {
    if (this.#listening === undefined) return [];
    const found = this.#listening.reader.read(limit);
    if (found.length > 0) prepare();
    return found.map((event) => translationEvent(event, (family, index) => this.#names.get(family)?.get(index)));
  }

  /** Reads the names again if the generation has changed: only then have services changed. */
  #refreshNames(): void {
    const pins = loadedPins(this.#directory);
    if (pins === undefined || !this.#isSame()) return;
    using map = pins.map(generation);
    if (map.get(0) !== this.#generation) this.#readNames(pins);
  }

  #readNames(pins: PinDirectory): void {
    using map = pins.map(generation);
    this.#generation = map.get(0);
    for (const family of pinnedFamilies(pins)) {
      const names = Array.from(serviceNames(pins, family), ([index, { name }]) => [index, name] as const);
      // Keep former names: an event may be about a service that was just removed.
      this.#names.set(family, new Map([...(this.#names.get(family) ?? []), ...names]));
    }
  }
}

async function takeLock(pins: PinDirectory): Promise<Fd> {
  const lock = openDirectory(listenersDirectory(pins));
  try {
    for (
      const deadline = Date.now() + PATIENCE;
      !tryLock(lock);
      await new Promise((resolve) => setTimeout(resolve, PAUSE))
    ) {
      if (Date.now() <= deadline) continue;
      throw new LoadBalancerError(`cannot listen: another monitor listens to the load balancer at ${pins.directory}`, {
        hint: "end the other one first",
      });
    }
    return lock;
  } catch (error) {
    lock.close();
    throw error;
  }
}

/** Builds the loaded programs again, with and without events, on the same maps. */
function startListening(pins: PinDirectory): Listening {
  using stored = pins.map(builtOptions);
  const isa = instructionSetLevel();
  const options = readBuiltOptions(stored);
  const compiled = (withEvents: boolean) =>
    loadBalancerPrograms({ ...options, events: withEvents }).map((source) => source.compile({ isa }));
  // Programs without events stay.
  const emittingPrograms = compiled(true).filter(({ maps }) => maps.includes(events));
  const names = new Set(emittingPrograms.map(({ name }) => name));
  const callingPrograms = compiled(false)
    .filter(({ name }) => names.has(name))
    .map(switchable);
  return Rollback.run((rollback) => {
    const loaded = (programs: readonly Program[]) => {
      const used = new Set(programs.flatMap(({ maps }) => maps.map(({ name }) => name)));
      const sizes = pins.names("maps").filter((name) => used.has(name));
      const collection = load(programs, { pins, maxEntries: pinnedSizes(pins, sizes) });
      rollback.onFailure(() => collection.close());
      return collection;
    };
    const emitting = loaded(emittingPrograms);
    const calling = loaded(callingPrograms.map(({ program }) => program));
    for (const { array, program } of callingPrograms)
      calling.map(array).set(0, emitting.program(program.name).fd.number);
    const reader = readRingBuffer(events, emitting.map(events).fd);
    rollback.onFailure(() => reader.close());
    return { emitting, calling, reader, programs: replaceTemporarily(calling, pins, callsOthers) };
  });
}

function lostIn({ emitting }: Listening): bigint {
  return emitting
    .map(eventsLost)
    .get(0)!
    .reduce((sum, lost) => sum + lost, 0n);
}
