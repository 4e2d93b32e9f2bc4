import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { startIn, type Place } from "../../src/testing/index.ts";
import type { Endpoint } from "./endpoint.ts";
import { findPython } from "./python.ts";
import { SocketError } from "./socket-error.ts";

const script = fileURLToPath(new URL("socket-client.py", import.meta.url));

/** The protocol of a socket. */
export type SocketKind = "tcp" | "mptcp" | "udp" | "udplite";

/** Received data; its source is only known for datagrams. */
export interface Received extends Endpoint {
  /** The datagram, or the body of an HTTP response. */
  readonly text: string;
}

/** A process that makes system calls on sockets on request, one at a time (socket-client.py). */
export class SocketClient {
  readonly #child: ChildProcess;
  readonly #answers: AsyncIterator<string>;
  #errors = "";

  constructor(place: Place) {
    this.#child = startIn(place, findPython()!, script);
    this.#child.stderr!.setEncoding("utf8").on("data", (text: string) => (this.#errors += text));
    this.#answers = createInterface({ input: this.#child.stdout! })[Symbol.asyncIterator]();
  }

  get pid(): number {
    return this.#child.pid!;
  }

  async open(kind: SocketKind, family: 4 | 6 = 4): Promise<ClientSocket> {
    const { number, cookie } = await this.ask<{ number: number; cookie: string }>("open", { kind, family });
    return new ClientSocket(this, number, BigInt(cookie));
  }

  /**
   * Opens a socket of a protocol that some kernels lack; if it is missing, reports `what` as skipped on standard error.
   */
  async openIfSupported(kind: "mptcp" | "udplite", what: string): Promise<ClientSocket | undefined> {
    try {
      return await this.open(kind);
    } catch (error) {
      if (!(error instanceof SocketError && ["EPROTONOSUPPORT", "ENOPROTOOPT", "ESOCKTNOSUPPORT"].includes(error.code)))
        throw error;
      process.stderr.write(`SKIPPED, ${what}: this kernel has no ${kind} sockets (${error.code})\n`);
      return undefined;
    }
  }

  /** Opens, uses unconnected and closes `count` sockets in turn; returns the number of replies by source. */
  visit(kind: SocketKind, count: number, { address, port }: Endpoint): Promise<Record<string, number>> {
    return this.ask("visit", { kind, count, address, port });
  }

  /** @throws {SocketError} */
  async ask<T>(request: string, parameters: Record<string, unknown>): Promise<T> {
    this.#child.stdin!.write(`${JSON.stringify({ do: request, ...parameters })}\n`);
    const { value, done } = await this.#answers.next();
    if (done) throw new Error(`the client ended at ${request}: ${this.#errors}`);
    const { result, error } = JSON.parse(value as string) as { result?: T; error?: string };
    if (error !== undefined) throw new SocketError(`${request} ${JSON.stringify(parameters)}`, error);
    return result as T;
  }

  /** Kills the process and waits for its end. */
  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await ended;
  }
}

/** A socket of a `SocketClient`. Every method throws a `SocketError` if its system call fails. */
export class ClientSocket {
  readonly #client: SocketClient;
  readonly #number: number;
  /** The socket's cookie (SO_COOKIE), which bpf_get_socket_cookie returns. */
  readonly cookie: bigint;

  constructor(client: SocketClient, number: number, cookie: bigint) {
    this.#client = client;
    this.#number = number;
    this.cookie = cookie;
  }

  #ask<T>(request: string, parameters: object = {}): Promise<T> {
    return this.#client.ask(request, { number: this.#number, ...parameters });
  }

  connect({ address, port }: Endpoint): Promise<void> {
    return this.#ask("connect", { address, port });
  }

  /** connect(2) on a non-blocking socket; waits for its result. */
  connectNonBlocking({ address, port }: Endpoint): Promise<void> {
    return this.#ask("connectNonBlocking", { address, port });
  }

  /** connect(2) to AF_UNSPEC: removes the peer. */
  dissolve(): Promise<void> {
    return this.#ask("dissolve");
  }

  /** bind(2); for port 0 the kernel chooses one. */
  bind({ address, port }: Endpoint): Promise<void> {
    return this.#ask("bind", { address, port });
  }

  /** sendto(2) with a destination, send(2) without. */
  send(text: string, to?: Endpoint): Promise<void> {
    return this.#ask("send", { text, ...(to && { address: to.address, port: to.port }) });
  }

  /** Connects and sends in one call (MSG_FASTOPEN, tcp(7)). */
  fastOpen(text: string, { address, port }: Endpoint): Promise<void> {
    return this.#ask("fastOpen", { text, address, port });
  }

  receive(): Promise<Received> {
    return this.#ask("receive");
  }

  /** Waits until a datagram is queued, without receiving it. */
  readable(): Promise<void> {
    return this.#ask("readable");
  }

  /** Sends, then receives. */
  async exchange(text: string, to?: Endpoint): Promise<Received> {
    await this.send(text, to);
    return this.receive();
  }

  /** getpeername(2). */
  peer(): Promise<Endpoint> {
    return this.#ask("peer");
  }

  localPort(): Promise<number> {
    return this.#ask("localPort");
  }

  /** Turns an IPv6 socket that is connected to a mapped address into an IPv4 socket (IPV6_ADDRFORM, ipv6(7)). */
  becomeIpv4(): Promise<void> {
    return this.#ask("becomeIpv4");
  }

  /** dup(2). */
  async duplicate(): Promise<ClientSocket> {
    return new ClientSocket(this.#client, await this.#ask<number>("duplicate"), this.cookie);
  }

  /** close(2), unless the socket is closed. */
  close(): Promise<void> {
    return this.#ask("close");
  }
}
