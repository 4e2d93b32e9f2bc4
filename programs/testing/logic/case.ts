import * as assert from "uvu/assert";
import type { HelperTable } from "tsbpf/sim";
import { RECENT_FLOWS, type DataPathOptions } from "../../index.ts";
import type { Party } from "../data-path.ts";
import { reverseEntry, type Endpoint } from "../endpoint.ts";
import type { Received } from "../socket-client.ts";
import type { SimulatedStage } from "./simulated-stage.ts";
import type { Stage, StageSocket } from "./stage.ts";
import type { Scheme, Switch, View } from "./views.ts";

/** A story of sockets with its expected outcome, the same in the simulator and on the kernel. */
export interface Case {
  readonly name: string;
  /** Options that the programs must be built with. */
  readonly needs?: readonly Switch[];
  /** Options that they must be built without. */
  readonly without?: readonly Switch[];
  readonly play: (stage: Stage) => Promise<void>;
}

/** A case that real sockets cannot play. */
export interface SimulatorCase extends Omit<Case, "play"> {
  readonly whyNotOnTheKernel: string;
  /** Replacements of helpers, made anew for each play. */
  readonly helpers?: () => HelperTable;
  readonly play: (stage: SimulatedStage) => Promise<void>;
}

/** Whether a case is one for programs that are built like this. */
export function isFor(
  { needs = [], without = [] }: Pick<Case, "needs" | "without">,
  options: DataPathOptions,
): boolean {
  const isOn = (name: Switch) => (typeof options[name] === "boolean" ? options[name] : options[name].length > 0);
  return needs.every(isOn) && !without.some(isOn);
}

/** The way of a datagram socket to a service: with each datagram, or by connecting. */
export const ways = ["sendto", "connect"] as const;
export type Way = (typeof ways)[number];

/** Turns to a service or to something else, whose answer is given. The peer is whom the process asked. */
export async function ask(socket: StageSocket, way: Way, asked: Endpoint): Promise<Received> {
  if (way === "sendto") return socket.exchange("hello", asked);
  await socket.connect(asked);
  assert.equal(await socket.peer(), asked);
  return socket.exchange("hello");
}

/** Services and backends of one scheme, on a stage, and a datagram socket that asks them. */
export class Scene {
  readonly stage: Stage;
  readonly view: View;
  readonly scheme: Scheme;
  readonly way: Way;
  readonly party: Party;
  #socket: StageSocket | undefined;

  constructor(stage: Stage, view: View, scheme: Scheme, way: Way = "sendto", party: Party = "host") {
    this.stage = stage;
    this.view = view;
    this.scheme = scheme;
    this.way = way;
    this.party = party;
  }

  get socket(): StageSocket {
    return this.#socket!;
  }

  /** Takes another socket, the first time or again. */
  async open(): Promise<void> {
    await this.#socket?.close();
    this.#socket = await this.stage.socket("udp", this.view.family, this.party);
  }

  /** Service `i` as the process calls it. */
  asked(i: number): Endpoint {
    return this.view.asked(this.scheme.service(i));
  }

  /** Backend `i` as the process sees it that talks to it directly. */
  direct(i: number): Endpoint {
    return this.view.asked(this.scheme.backendEndpoint(i));
  }

  /** Gives service `i` one backend, of the same number unless another is given. */
  serve(i: number, backend = i, revNatIndex = i + 1): void {
    this.stage.services.set(this.scheme.service(i), "udp", [this.scheme.backend(backend)], { revNatIndex });
  }

  /** Gives each of the first `count` services its backend. */
  serveAll(count: number): void {
    for (let i = 0; i < count; i++) this.serve(i);
  }

  /** Asks service `i`; `backend` answers, and the process is shown the service. */
  async askFor(i: number, backend = i, way = this.way): Promise<void> {
    assert.equal(await ask(this.socket, way, this.asked(i)), { text: this.scheme.backend(backend), ...this.asked(i) });
  }

  /** Asks each of the first `count` services. */
  async askAll(count: number): Promise<void> {
    for (let i = 0; i < count; i++) await this.askFor(i);
  }

  /** Asks backend `i` directly: it answers, and is shown as itself. */
  async askDirectly(i: number): Promise<void> {
    assert.equal(await ask(this.socket, this.way, this.direct(i)), { text: this.scheme.backend(i), ...this.direct(i) });
  }

  /**
   * The reverse map holds this socket's entries for these services, each a
   * number or with another backend or index, and no more; but for those of
   * recent flows where the programs are built to leave them out.
   */
  holds(...expected: readonly ExpectedFlow[]): void {
    if (this.stage.options.recentInReverseMap) assert.equal(this.stage.reverseEntries(), this.#entries(expected));
    else this.remembers(...expected);
  }

  /** The same where programs of both kinds have been there. */
  remembers(...expected: readonly ExpectedFlow[]): void {
    const [entries, inMap, inStorage] = [
      this.#entries(expected),
      this.stage.reverseEntries(),
      this.stage.onlyInStorage(this.socket),
    ];
    if (inStorage !== undefined) {
      assert.equal([...inMap, ...inStorage].sort(), entries);
    } else {
      for (const entry of inMap) assert.ok(entries.includes(entry), `${entry} is not among ${entries.join("; ")}`);
      assert.ok(inMap.length >= entries.length - RECENT_FLOWS, `${inMap.length} of ${entries.length} entries`);
    }
  }

  #entries(expected: readonly ExpectedFlow[]): string[] {
    return expected
      .map((each) => {
        const [i, backend, revNatIndex = i + 1] = typeof each === "number" ? [each, each] : each;
        return reverseEntry(this.socket, this.scheme.service(i), this.scheme.backend(backend), revNatIndex);
      })
      .sort();
  }
}

/** A service by its number, whose backend has the same; or with the numbers of another backend and index. */
type ExpectedFlow = number | readonly [service: number, backend: number, revNatIndex?: number];

/** The error of a call to a service without a usable backend. */
export const refusal = ({ options }: Stage, sockets: "streams" | "datagrams"): string =>
  options.setRetval ? { streams: "ECONNREFUSED", datagrams: "EHOSTUNREACH" }[sockets] : "EPERM";

/** What a call fails with whose replies could not be translated. */
export const notRemembered = ({ options }: Stage): string => (options.setRetval ? "ENOBUFS" : "EPERM");
