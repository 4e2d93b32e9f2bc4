import * as assert from "uvu/assert";
import { Errno, type ProgramSource } from "tsbpf";
import { World, type ContextValues, type SimulatedSocket, type WorldOptions } from "tsbpf/sim";
import { events, eventsLost, maps4, maps6, type DataPathOptions } from "../../index.ts";
import { counted } from "../counters.ts";
import type { Identity, Party } from "../data-path.ts";
import { endpointText, entryText, type Endpoint } from "../endpoint.ts";
import { mapsFor, ServiceTable, type MapOpener } from "../service-table.ts";
import type { Received, SocketKind } from "../socket-client.ts";
import { SocketError } from "../socket-error.ts";
import { eventsAsExpected, LISTENING, type ExpectedEvent, type Stage, type StageSocket } from "./stage.ts";

/** The clock's start: as if the machine had been up for a while. */
const SOME_HOURS = 10_000_000_000_000n;

const backends = new Set(LISTENING);

const EAGAIN = 11;

/** The host's network namespace is the initial one. */
const identities: Readonly<Record<Party, Identity>> = {
  host: { netnsCookie: 1n, cgroupIds: [1n, 10n] },
  container: { netnsCookie: 4711n, cgroupIds: [1n, 10n, 20n, 21n] },
};

/** The simulator: which hooks a system call runs, and with what, is said here as the kernel does it. */
export class SimulatedStage implements Stage {
  readonly options: DataPathOptions;
  readonly world: World;
  readonly services: ServiceTable;
  readonly open: MapOpener;
  readonly #heard: boolean;
  readonly #counted: boolean;
  readonly #sockets: SimulatedClientSocket[] = [];
  readonly #builds: (options: DataPathOptions) => readonly ProgramSource[];
  #programs: ReadonlyMap<string, ProgramSource> = new Map();

  /**
   * @param builds the programs for options
   * @param wanting whether services have no counters, and events no room
   */
  constructor(
    builds: (options: DataPathOptions) => readonly ProgramSource[],
    options: DataPathOptions,
    world: WorldOptions = {},
    wanting = false,
  ) {
    this.options = options;
    this.#builds = builds;
    const { helpers } = world;
    this.world = new World({
      time: SOME_HOURS,
      ...world,
      helpers: wanting ? { ...helpers, bpf_ringbuf_output: () => -EAGAIN } : { ...helpers },
    });
    this.open = ((definition) => this.world.map(definition)) as MapOpener;
    this.#heard = !wanting;
    this.#counted = options.metrics && !wanting;
    this.services = new ServiceTable(this.open, this.#counted ? this.world.maps.cpus : 0);
    this.build(options);
  }

  /** From now on the programs are those for these options: another load balancer has taken over the maps. */
  build(options: DataPathOptions): void {
    this.#programs = new Map(this.#builds(options).map((program) => [program.name, program]));
  }

  async socket(kind: SocketKind, family: 4 | 6, party: Party = "host"): Promise<SimulatedClientSocket> {
    const socket = new SimulatedClientSocket(this, kind, family, party);
    this.#sockets.push(socket);
    return socket;
  }

  identity(party: Party): Identity {
    return identities[party];
  }

  async end(): Promise<void> {
    for (const socket of this.#sockets) await socket.close();
  }

  onlyInStorage(socket: SimulatedClientSocket): string[] {
    const entered = new Set(this.reverseEntries());
    return [maps4, maps6]
      .flatMap(({ flows }) => this.world.map(flows).get(socket.simulated)?.recent ?? [])
      .filter(({ revNatIndex }) => revNatIndex !== 0)
      .map(({ serviceAddress, servicePort, backendAddress, backendPort, revNatIndex }) =>
        entryText(
          { cookie: socket.cookie, address: backendAddress, port: backendPort },
          { address: serviceAddress, port: servicePort, revNatIndex },
        ),
      )
      .filter((text) => !entered.has(text));
  }

  reverseEntries(): string[] {
    return [maps4, maps6]
      .flatMap(({ reverseSk }) => Array.from(this.open(reverseSk), ([key, value]) => entryText(key, value)))
      .sort();
  }

  /** A service's counters are these, those that are 0 left out; where services have none, that is still so. */
  checkCounters(address: string, revNatIndex: number, expected: Readonly<Record<string, number>>): void {
    const counters = this.world.map(mapsFor(address).metrics).get(revNatIndex);
    assert.equal(counters && counted(counters), this.#counted ? expected : undefined);
  }

  checkEvents(...expected: readonly ExpectedEvent[]): void {
    const lost = this.world.map(eventsLost);
    assert.equal(eventsAsExpected(this.world.map(events).read()), this.#heard ? expected : []);
    assert.equal(lost.get(0), [this.#heard ? 0n : BigInt(expected.length)]);
    lost.set(0, [0n]);
  }

  /**
   * Runs the program of a hook for a process of a party, where the load balancer has one.
   * @returns the context as it is then
   * @throws {SocketError} where the program has the system call fail
   */
  run(hook: string, party: Party, socket: SimulatedSocket, ctx: ContextValues): ContextValues {
    const program = this.#programs.get(hook);
    if (program === undefined) return ctx;
    const ancestorCgroupIds = [...identities[party].cgroupIds];
    const cgroupId = ancestorCgroupIds.pop()!;
    this.world.task = { ...this.world.task, cgroupId, ancestorCgroupIds };
    const result = this.world.run(program, { socket, ctx });
    if (result.retval !== 0) throw new SocketError(hook, errnoName(-result.retval!));
    return result.ctx;
  }
}

const errnoName = (number: number): string =>
  Object.entries(Errno).find(([, value]) => value === number)?.[0] ?? String(number);

const MAPPED = "::ffff:";
/** `TCP_ESTABLISHED`, of connected datagram sockets too, and `TCP_CLOSE`. */
const [ESTABLISHED, CLOSED] = [1, 7];

/** A socket of a `SimulatedStage`. */
export class SimulatedClientSocket implements StageSocket {
  readonly #stage: SimulatedStage;
  readonly #party: Party;
  readonly #socket: SimulatedSocket;
  readonly #stream: boolean;
  #family: 4 | 6;
  #peer: Endpoint | undefined;
  readonly #received: Received[] = [];
  #closed = false;

  constructor(stage: SimulatedStage, kind: SocketKind, family: 4 | 6, party: Party) {
    this.#stage = stage;
    this.#party = party;
    this.#stream = kind === "tcp" || kind === "mptcp";
    this.#family = family;
    this.#socket = stage.world.socket({
      netnsCookie: identities[party].netnsCookie,
      family: family === 6 ? "inet6" : "inet",
      type: this.#stream ? "stream" : "dgram",
      protocol: { tcp: 6, mptcp: 262, udp: 17, udplite: 136 }[kind],
      state: CLOSED,
    });
  }

  get simulated(): SimulatedSocket {
    return this.#socket;
  }

  get cookie(): bigint {
    return this.#socket.cookie;
  }

  /** Runs a hook of an address family on an address, and gives the address that it leaves. */
  translate(hook: string, family: 4 | 6, { address, port }: Endpoint): Endpoint {
    const name = family === 6 ? "userIp6" : "userIp4";
    const ctx = this.#stage.run(`${hook}${family}`, this.#party, this.#socket, { [name]: address, userPort: port });
    return { address: ctx[name]!, port: ctx.userPort! };
  }

  async connect(to: Endpoint): Promise<void> {
    const destination = this.translate("connect", this.#family, to);
    if (this.#stream && !backends.has(endpointText(unmapped(destination))))
      throw new SocketError("connect", "ECONNREFUSED");
    this.#setPeer(destination);
  }

  async dissolve(): Promise<void> {
    this.#setPeer(undefined);
  }

  #setPeer(peer: Endpoint | undefined): void {
    this.#peer = peer;
    const unspecified = { address: this.#family === 6 ? "::" : "0.0.0.0", port: 0 };
    const { address, port } = peer ?? unspecified;
    const ipv4 = unmapped(peer ?? unspecified).address;
    Object.assign(this.#socket.fields, {
      state: peer === undefined ? CLOSED : ESTABLISHED,
      dstPort: port,
      ...(this.#family === 6 && { dstIp6: address }),
      ...(!ipv4.includes(":") && { dstIp4: ipv4 }),
    });
  }

  async send(_text: string, to?: Endpoint): Promise<void> {
    const destination = this.#destination(to);
    const text = endpointText(unmapped(destination));
    if (!backends.has(text)) return;
    const source = this.#asSeen(unmapped(destination));
    if (this.#peer === undefined || endpointText(source) === endpointText(this.#peer))
      this.#received.push({ text, ...source });
  }

  #destination(to: Endpoint | undefined): Endpoint {
    const named = to ?? this.#peer;
    if (named === undefined) throw new SocketError("send", "EDESTADDRREQ");
    const { address } = named;
    // What goes to a mapped address is handed over to IPv4, with the address as if it had been named.
    if (this.#family === 6 && address.startsWith(MAPPED))
      return this.#stream ? named : this.translate("sendmsg", 4, unmapped(named));
    return to === undefined || this.#stream ? named : this.translate("sendmsg", this.#family, named);
  }

  async readable(): Promise<void> {
    if (this.#received.length === 0) throw new SocketError("readable", "ETIMEDOUT");
  }

  async receive(): Promise<Received> {
    const { text, ...source } = this.#received.shift() ?? {};
    if (text === undefined) throw new SocketError("receive", "ETIMEDOUT");
    return {
      text,
      ...(this.#stream ? (source as Endpoint) : this.translate("recvmsg", this.#family, source as Endpoint)),
    };
  }

  async exchange(text: string, to?: Endpoint): Promise<Received> {
    await this.send(text, to);
    return this.receive();
  }

  async peer(): Promise<Endpoint> {
    if (this.#peer === undefined) throw new SocketError("getpeername", "ENOTCONN");
    return this.translate("getpeername", this.#family, this.#peer);
  }

  async becomeIpv4(): Promise<void> {
    this.#family = 4;
    this.#peer = this.#peer && unmapped(this.#peer);
    Object.assign(this.#socket.fields, { family: "inet" });
  }

  async bind({ address, port }: Endpoint): Promise<void> {
    this.#stage.run(`post_bind${this.#family}`, this.#party, this.#socket, {
      srcPort: port,
      [this.#family === 6 ? "srcIp6" : "srcIp4"]: address,
    });
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#stage.run("sock_release", this.#party, this.#socket, {});
    this.#stage.world.destroy(this.#socket);
  }

  /** An IPv4 address as this socket sees it. */
  #asSeen({ address, port }: Endpoint): Endpoint {
    return { address: this.#family === 6 && !address.includes(":") ? `${MAPPED}${address}` : address, port };
  }
}

const unmapped = ({ address, port }: Endpoint): Endpoint => ({
  address: address.startsWith(MAPPED) ? address.slice(MAPPED.length) : address,
  port,
});
