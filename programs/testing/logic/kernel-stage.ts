import * as assert from "uvu/assert";
import { readRingBuffer, type RingBufferReader, type Infer } from "tsbpf";
import { events, type DataPathOptions, type Event } from "../../index.ts";
import { counted } from "../counters.ts";
import type { DataPath, Identity, Party } from "../data-path.ts";
import { mapsFor, type MapOpener, type ServiceTable } from "../service-table.ts";
import type { ClientSocket, SocketClient, SocketKind } from "../socket-client.ts";
import { eventsAsExpected, type ExpectedEvent, type Stage } from "./stage.ts";

/** The running kernel: sockets of a client process in the cgroup of the programs, and of one in a container there. */
export class KernelStage implements Stage {
  readonly options: DataPathOptions;
  readonly services: ServiceTable;
  readonly open: MapOpener;
  readonly #dataPath: DataPath;
  readonly #clients: Readonly<Record<Party, SocketClient>>;
  readonly #sockets: ClientSocket[] = [];
  readonly #events: RingBufferReader<Infer<typeof Event>> | undefined;

  constructor(dataPath: DataPath, clients: Readonly<Record<Party, SocketClient>>, options: DataPathOptions) {
    this.options = options;
    this.services = dataPath.services;
    this.open = ((definition) => dataPath.map(definition)) as MapOpener;
    this.#dataPath = dataPath;
    this.#clients = clients;
    this.#events = options.events ? readRingBuffer(events, dataPath.map(events).fd) : undefined;
    // Those of the case before.
    this.#events?.read();
  }

  async socket(kind: SocketKind, family: 4 | 6, party: Party = "host"): Promise<ClientSocket> {
    const socket = await this.#clients[party].open(kind, family);
    this.#sockets.push(socket);
    return socket;
  }

  identity(party: Party): Identity {
    return this.#dataPath.identity(party);
  }

  /** A socket's storage can be read by its own process alone. */
  onlyInStorage(): undefined {
    return undefined;
  }

  reverseEntries(): string[] {
    return this.#dataPath.reverseEntries();
  }

  checkCounters(address: string, revNatIndex: number, expected: Readonly<Record<string, number>>): void {
    assert.equal(counted(this.#dataPath.map(mapsFor(address).metrics).get(revNatIndex)!), expected);
  }

  checkEvents(...expected: readonly ExpectedEvent[]): void {
    assert.equal(eventsAsExpected(this.#events?.read() ?? []), expected);
  }

  async end(): Promise<void> {
    this.#events?.close();
    for (const socket of this.#sockets) await socket.close();
  }
}
