/**
 * Listening to translations: for as long as somebody does, programs that tell
 * of each one run in the place of those that do not. What is pinned stays as it
 * is, so that whatever becomes of the listener, the next `load` or listener
 * puts the plain programs back.
 */
import { fstatSync, statSync } from "node:fs";
import { events, eventsLost, loadBalancerPrograms } from "../../../programs/index.ts";
import { generation } from "../../../programs/maps.ts";
import { openDirectory, tryLock, type Fd } from "../../kernel/index.ts";
import {
  checkManager,
  instructionSetLevel,
  load,
  readRingBuffer,
  replaceTemporarily,
  type Collection,
  type PinDirectory,
  type RingBufferReader,
  type TemporaryPrograms,
} from "../../loader/index.ts";
import type { Infer } from "../../types/index.ts";
import { readBuiltOptions } from "../apply/built-options.ts";
import { LoadBalancerError } from "../model/error.ts";
import { translationEvent, type TranslationEvent } from "./events.ts";
import { listenersDirectory, tellsEvents } from "./listening.ts";
import { exclusively } from "../apply/lock.ts";
import { builtOptions } from "../apply/maps.ts";
import type { AddressFamily } from "../model/service.ts";
import { loadedPins, nothingLoaded, pinnedFamilies } from "../apply/pins.ts";
import { serviceNames } from "./service-names.ts";

/** Milliseconds for which a lock is tried for: who only looks whether somebody listens has it for a moment. */
const PATIENCE = 500;
const PAUSE = 20;

/** Programs may tell faster than anybody can read: something else is to be done in between. */
const READ_AT_ONCE = 4096;

/** Programs that tell, and where they tell it. */
interface Listening {
  readonly collection: Collection;
  readonly programs: TemporaryPrograms;
  readonly reader: RingBufferReader<Infer<typeof events.value>>;
}

/** What `check` has found. */
export type MonitorState =
  /** All is as it was. */
  | "listening"
  /** The load balancer was loaded anew, and is listened to again. */
  | "again"
  /** It is there no more. */
  | "unloaded";

export class Monitor {
  readonly #directory: string;
  readonly #lock: Fd;
  readonly #names = new Map<AddressFamily, ReadonlyMap<number, string>>();
  #generation: number | undefined;
  #listening: Listening | undefined;
  #closed = false;
  /** Events that got lost before the programs at hand were put in place. */
  #lostBefore = 0n;
  /** Of those that were put in place before: read, and not yet handed over. */
  readonly #leftOver: TranslationEvent[] = [];

  private constructor(directory: string, lock: Fd) {
    this.#directory = directory;
    this.#lock = lock;
  }

  /**
   * Begins to listen.
   * @param directory of the pins
   * @throws {LoadBalancerError} where nothing is loaded, or somebody else listens already
   * @throws {BpfError | VerifierError | LoaderError} where the kernel does not take the programs; then all is as it was
   */
  static async open(directory: string): Promise<Monitor> {
    checkManager();
    const pins = loadedPins(directory);
    if (pins === undefined) throw nothingLoaded(directory);
    const monitor = new Monitor(directory, await takeLock(pins));
    try {
      if (!(await monitor.#listen())) throw new LoadBalancerError(`what was loaded at ${directory} is being unloaded`);
      return monitor;
    } catch (error) {
      monitor.#lock.close();
      throw error;
    }
  }

  /** Events since this was last asked, oldest first; not all where there are very many. */
  read(): TranslationEvent[] {
    const events = this.#drain(READ_AT_ONCE, () => this.#refreshNames());
    return [...this.#leftOver.splice(0), ...events];
  }

  /** Events that there was no room for since listening began: nobody read them in time. */
  get lost(): bigint {
    return this.#lostBefore + (this.#listening === undefined ? 0n : lostIn(this.#listening));
  }

  /**
   * Looks whether the programs are still in place, and puts them there again
   * after the load balancer was loaded anew: what happens in between is not told of.
   * @throws as `open`
   */
  async check(): Promise<MonitorState> {
    if (this.#listening?.programs.inPlace() === true && this.#isSame()) return "listening";
    return (await this.#listen()) ? "again" : "unloaded";
  }

  /** Puts the plain programs back, when no other command is at work. @throws {BpfError} */
  async close(): Promise<void> {
    if (this.#closed) return;
    // Nobody lets us have the pins, but the links' programs are compared as they are put back.
    await exclusively(
      () => (this.#isSame() ? this.#directory : undefined),
      () => this.closeNow(),
    );
  }

  /** The same without waiting for another command that may be at work. @throws {BpfError} */
  closeNow(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#stop();
    this.#lock.close();
  }

  /** Whether the load balancer at hand is the one of which we have the lock. */
  #isSame(): boolean {
    const pins = loadedPins(this.#directory);
    return (
      pins !== undefined &&
      statSync(listenersDirectory(pins), { throwIfNoEntry: false })?.ino === fstatSync(this.#lock.number).ino
    );
  }

  /** Puts programs in place that tell; false where there are none to take the place of. */
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
    const { collection, programs, reader } = this.#listening;
    try {
      programs.restore();
    } finally {
      this.#leftOver.push(...this.#drain());
      this.#lostBefore = this.lost;
      this.#listening = undefined;
      reader.close();
      collection.close();
    }
  }

  /** @param prepare what is done before any are looked at */
  #drain(limit?: number, prepare = () => {}): TranslationEvent[] {
    if (this.#listening === undefined) return [];
    const found = this.#listening.reader.read(limit);
    if (found.length > 0) prepare();
    return found.map((event) => translationEvent(event, (family, index) => this.#names.get(family)?.get(index)));
  }

  /** Services have other names and indices only when the generation is another. */
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
      // An event may still be about a service that has just gone.
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
      throw new LoadBalancerError(`another monitor listens to what is loaded at ${pins.directory}`, {
        hint: "there is one at a time: end that one first",
      });
    }
    return lock;
  } catch (error) {
    lock.close();
    throw error;
  }
}

/** Builds the programs that are loaded once more, so that they tell, on the same maps. */
function startListening(pins: PinDirectory): Listening {
  using stored = pins.map(builtOptions);
  const isa = instructionSetLevel();
  const programs = loadBalancerPrograms({ ...readBuiltOptions(stored), events: true })
    .map((source) => source.compile({ isa }))
    // The others have nothing to tell, and stay.
    .filter(({ maps }) => maps.includes(events));
  const used = new Set(programs.flatMap(({ maps }) => maps.map(({ name }) => name)));
  const collection = load(programs, {
    pins,
    maxEntries: sizesOf(
      pins,
      pins.names("maps").filter((name) => used.has(name)),
    ),
  });
  try {
    const reader = readRingBuffer(events, collection.map(events).fd);
    try {
      return { collection, reader, programs: replaceTemporarily(collection, pins, tellsEvents) };
    } catch (error) {
      reader.close();
      throw error;
    }
  } catch (error) {
    collection.close();
    throw error;
  }
}

function sizesOf(pins: PinDirectory, names: readonly string[]): Record<string, number> {
  return Object.fromEntries(names.map((name) => [name, pins.mapInfo(name).maxEntries]));
}

function lostIn({ collection }: Listening): bigint {
  return collection
    .map(eventsLost)
    .get(0)!
    .reduce((sum, lost) => sum + lost, 0n);
}
