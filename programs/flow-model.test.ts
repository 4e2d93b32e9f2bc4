/**
 * Random sequences of calls on a datagram socket in the simulator, compared with
 * a plain model of what each must show.
 *
 *     npm run test:flows -- [sequences] [seed]
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { loadBalancerPrograms, maps4, maps6, type DataPathOptions } from "./index.ts";
import type { Endpoint } from "./testing/endpoint.ts";
import { builds } from "./testing/builds.ts";
import { SimulatedStage } from "./testing/logic/index.ts";
import type { SimulatedClientSocket } from "./testing/logic/simulated-stage.ts";
import { views, type View } from "./testing/logic/views.ts";

const numbers = process.argv.slice(2).filter((argument) => /^\d+$/.test(argument));
/** Of each kind: a few among the tests, over 10,000 in all by the command. */
const byDefault = process.argv.includes("--long") ? 1_700 : 20;
const [sequences = byDefault, seed = Date.now() % 2 ** 31] = numbers.map(Number);
const CALLS = 60;
const BACKENDS = 40;

/** Numbers below `limit`, by a linear congruential generator (Knuth's MMIX). */
function randomNumbers(start: number): (limit: number) => number {
  let state = BigInt(start);
  return (limit) => {
    state = BigInt.asUintN(64, state * 6364136223846793005n + 1442695040888963407n);
    return Number((state >> 33n) % BigInt(limit));
  };
}

/** A service as the socket knows it. */
interface Known {
  readonly service: number;
  readonly revNatIndex: number;
  /** The service has moved since: whether the flow is still known depends on the flows in between. */
  moved: boolean;
}

/** What the socket is connected to; without a service directly. */
interface Peer {
  readonly backend: number;
  known: Known | undefined;
}

/** One socket and its services, beside a model of them. */
class Sequence {
  readonly #stage: SimulatedStage;
  readonly #view: View;
  readonly #random: (limit: number) => number;
  readonly #services = new Map<number, { backend: number; revNatIndex: number }>();
  readonly #flows = new Map<number, Known>();
  #peer: Peer | undefined;
  readonly #inFlight: number[] = [];
  #socket: SimulatedClientSocket | undefined;
  #nextIndex = 1;

  constructor(stage: SimulatedStage, view: View, random: (limit: number) => number) {
    this.#stage = stage;
    this.#view = view;
    this.#random = random;
  }

  async play(): Promise<void> {
    this.#socket = await this.#stage.socket("udp", this.#view.family);
    const services = 1 + this.#random(100);
    for (let i = 0; i < services; i++) this.#serve(i);
    for (let i = 0; i < CALLS; i++) await this.#call(services);
    await this.#socket.close();
    assert.equal(this.#stage.reverseEntries(), []);
    for (const { flowNames, flowNumbers } of [maps4, maps6])
      for (const map of [flowNames, flowNumbers]) assert.equal([...this.#stage.world.map(map).keys()], []);
  }

  #asked(service: number): Endpoint {
    return this.#view.asked(this.#view.schemes[0].service(service));
  }

  #direct(backend: number): Endpoint {
    return this.#view.asked(this.#view.schemes[0].backendEndpoint(backend));
  }

  #serve(service: number): void {
    const backend = this.#random(BACKENDS);
    // A service that comes back has another index.
    const revNatIndex = this.#services.get(service)?.revNatIndex ?? this.#nextIndex++;
    this.#services.set(service, { backend, revNatIndex });
    const [scheme] = this.#view.schemes;
    this.#stage.services.set(scheme.service(service), "udp", [scheme.backend(backend)], { revNatIndex });
  }

  async #call(services: number): Promise<void> {
    const service = this.#random(services);
    const backend = this.#random(BACKENDS);
    const kind = this.#random(20);
    if (kind < 8) this.#sendToService(service);
    else if (kind < 9) this.#sendDirectly(this.#peer !== undefined && backend % 2 === 0 ? this.#peer.backend : backend);
    else if (kind < 11) await this.#connect(service);
    else if (kind < 12) await this.#connectDirectly(backend);
    else if (kind < 13) await this.#dissolve();
    else if (kind < 14) this.#serve(service);
    else if (kind < 15) this.#remove(service);
    else this.#receive();
    if (this.#peer !== undefined) assert.equal(await this.#socket!.peer(), this.#shownPeer(this.#peer));
  }

  #remove(service: number): void {
    if (this.#services.delete(service)) this.#stage.services.remove(this.#view.schemes[0].service(service), "udp");
  }

  /** sendto(2): the address that the kernel sends to. */
  #send(to: Endpoint): Endpoint {
    const mapped = to.address.startsWith("::ffff:");
    const named = mapped ? { ...to, address: to.address.slice(7) } : to;
    const sent = this.#socket!.translate("sendmsg", mapped ? 4 : this.#view.family, named);
    return mapped ? { ...sent, address: `::ffff:${sent.address}` } : sent;
  }

  /** The socket asked for a service: what it knows then. */
  #ask(service: number): { backend: number; known: Known } | undefined {
    const found = this.#services.get(service);
    if (found === undefined) return undefined;
    const { backend, revNatIndex } = found;
    for (const [other, known] of this.#flows) if (known.service === service && other !== backend) known.moved = true;
    const known = { service, revNatIndex, moved: false };
    this.#flows.set(backend, known);
    return { backend, known };
  }

  #sendToService(service: number): void {
    const asked = this.#ask(service);
    assert.equal(
      this.#send(this.#asked(service)),
      asked === undefined ? this.#asked(service) : this.#direct(asked.backend),
    );
    if (asked !== undefined) this.#inFlight.push(asked.backend);
  }

  #sendDirectly(backend: number): void {
    assert.equal(this.#send(this.#direct(backend)), this.#direct(backend));
    // The kernel shows sendmsg4 the peer of an IPv6 socket whether it is named or not: the program leaves it alone.
    if (this.#view !== views[1] || this.#peer?.backend !== backend) this.#flows.delete(backend);
    this.#inFlight.push(backend);
  }

  async #connect(service: number): Promise<void> {
    const asked = this.#ask(service);
    if (asked === undefined) return;
    await this.#socket!.connect(this.#asked(service));
    this.#peer = { ...asked };
    this.#inFlight.push(asked.backend);
  }

  async #connectDirectly(backend: number): Promise<void> {
    await this.#socket!.connect(this.#direct(backend));
    this.#flows.delete(backend);
    this.#peer = { backend, known: undefined };
    this.#inFlight.push(backend);
  }

  async #dissolve(): Promise<void> {
    await this.#socket!.dissolve();
    this.#peer = undefined;
  }

  /** One of the answers that are under way, whichever comes first or had come before a connect(2). */
  #receive(): void {
    const [backend] = this.#inFlight.splice(this.#random(this.#inFlight.length || 1), 1);
    if (backend === undefined) return;
    const shown = this.#socket!.translate("recvmsg", this.#view.family, this.#direct(backend));
    if (this.#peer?.backend === backend) return assert.equal(shown, this.#shownPeer(this.#peer));
    const known = this.#flows.get(backend);
    const stays = known !== undefined && this.#services.get(known.service)?.revNatIndex === known.revNatIndex;
    if (known?.moved && shown.port === this.#direct(backend).port) return;
    assert.equal(shown, stays ? this.#asked(known.service) : this.#direct(backend));
    if (!stays) this.#flows.delete(backend);
  }

  #shownPeer(peer: Peer): Endpoint {
    const { backend, known } = peer;
    if (known !== undefined && this.#services.get(known.service)?.revNatIndex === known.revNatIndex)
      return this.#asked(known.service);
    peer.known = undefined;
    return this.#direct(backend);
  }
}

const test = suite("flows: a model");
const played: readonly DataPathOptions[] = [
  { ...builds.default, ipv6: true },
  { ...builds.recentInStorage, atomicFetch: true },
];
for (const view of views) {
  for (const options of played) {
    const programs = loadBalancerPrograms(options);
    const entries = options.recentInReverseMap ? "all" : "older";
    test(`${view.name}, reverse entries ${entries}: ${sequences} sequences from seed ${seed}`, async () => {
      for (let i = 0; i < sequences; i++) {
        const start = (seed + i) % 2 ** 31;
        try {
          await new Sequence(new SimulatedStage(() => programs, options), view, randomNumbers(start)).play();
        } catch (error) {
          (error as Error).message += `\nagain: npm run test:flows -- 1 ${start}`;
          throw error;
        }
      }
    });
  }
}
test.run();
