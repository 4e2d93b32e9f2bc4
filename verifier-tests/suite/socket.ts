/**
 * Sockets by direct system calls: synchronous, with the kernel's errors, and in the cgroup of the calling
 * process at that moment. Node's own sockets offer none of this.
 */
import { closeSync } from "node:fs";
import { addressOf, Errno, errnoName, syscall } from "../../src/kernel/index.ts";
import { decodeValue, encodeValue, ipv4, ipv6 } from "../../src/types/index.ts";

type Call =
  | "socket"
  | "bind"
  | "listen"
  | "accept"
  | "connect"
  | "getsockname"
  | "getpeername"
  | "sendto"
  | "recvfrom"
  | "setsockopt";

/** asm/unistd_64.h and asm-generic/unistd.h. */
const numbers: Readonly<Partial<Record<NodeJS.Architecture, Readonly<Record<Call, number>>>>> = {
  x64: {
    socket: 41,
    connect: 42,
    accept: 43,
    sendto: 44,
    recvfrom: 45,
    bind: 49,
    listen: 50,
    getsockname: 51,
    getpeername: 52,
    setsockopt: 54,
  },
  arm64: {
    socket: 198,
    bind: 200,
    listen: 201,
    accept: 202,
    connect: 203,
    getsockname: 204,
    getpeername: 205,
    sendto: 206,
    recvfrom: 207,
    setsockopt: 208,
  },
};

export const AF_UNSPEC = 0;
export const AF_INET = 2;
export const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2_000_000;
const SOL_SOCKET = 1;
const SO_RCVTIMEO = 20;

/** The address of a socket or of its peer. */
export interface Endpoint {
  /** `192.0.2.1`, `2001:db8::1`, `::ffff:192.0.2.1`. */
  readonly address: string;
  readonly port: number;
}

/** Socket errors that `Errno`, which serves bpf(2), lacks. */
const socketErrors: Readonly<Record<number, string>> = {
  97: "EAFNOSUPPORT",
  98: "EADDRINUSE",
  99: "EADDRNOTAVAIL",
  101: "ENETUNREACH",
  106: "EISCONN",
  107: "ENOTCONN",
  110: "ETIMEDOUT",
  111: "ECONNREFUSED",
  113: "EHOSTUNREACH",
};

/** A failed socket call. */
export class SocketError extends Error {
  override readonly name = "SocketError";
  /** `ECONNREFUSED`, … */
  readonly code: string;

  constructor(call: Call, subject: string, errno: number) {
    const code = socketErrors[errno] ?? errnoName(errno);
    super(`${call} ${subject} failed with ${code}`);
    this.code = code;
  }
}

/** `"ok"`, or the code of the socket error that the action throws. */
export function errorOf(action: () => void): string {
  try {
    action();
    return "ok";
  } catch (error) {
    if (error instanceof SocketError) return error.code;
    throw error;
  }
}

export class Socket {
  readonly family: typeof AF_INET | typeof AF_INET6;
  readonly #number: number;
  #open = true;

  private constructor(family: typeof AF_INET | typeof AF_INET6, number: number) {
    this.family = family;
    this.#number = number;
  }

  static tcp4 = (): Socket => Socket.#make(AF_INET, SOCK_STREAM);
  static tcp6 = (): Socket => Socket.#make(AF_INET6, SOCK_STREAM);
  static udp4 = (): Socket => Socket.#make(AF_INET, SOCK_DGRAM);
  static udp6 = (): Socket => Socket.#make(AF_INET6, SOCK_DGRAM);

  static #make(family: typeof AF_INET | typeof AF_INET6, type: number): Socket {
    const socket = new Socket(family, call("socket", "", family, type | SOCK_CLOEXEC, 0));
    // A case that waits for missing data should fail, not hang.
    const twoSeconds = new Uint8Array(BigUint64Array.from([2n, 0n]).buffer);
    call("setsockopt", "", socket.#number, SOL_SOCKET, SO_RCVTIMEO, addressOf(twoSeconds), twoSeconds.byteLength);
    return socket;
  }

  /** Port 0, the default, lets the kernel choose. */
  bind(address: string, port = 0): this {
    const bytes = encode(this.family, { address, port });
    call("bind", `${address} port ${port}`, this.#number, addressOf(bytes), bytes.byteLength);
    return this;
  }

  listen(): this {
    call("listen", "", this.#number, 16);
    return this;
  }

  accept(): Socket {
    return new Socket(this.family, call("accept", "", this.#number, 0, 0));
  }

  connect(to: Endpoint): this {
    const bytes = encode(this.family, to);
    call("connect", `${to.address} port ${to.port}`, this.#number, addressOf(bytes), bytes.byteLength);
    return this;
  }

  /** Connects to `AF_UNSPEC`, which makes a UDP socket forget its peer. */
  disconnect(): void {
    const bytes = new Uint8Array(16);
    call("connect", "AF_UNSPEC", this.#number, addressOf(bytes), bytes.byteLength);
  }

  get local(): Endpoint {
    return this.#name("getsockname");
  }

  get peer(): Endpoint {
    return this.#name("getpeername");
  }

  /** Sends to the given destination, or to the peer by default. */
  send(text: string, to?: Endpoint): void {
    const data = Buffer.from(text);
    const bytes = to === undefined ? new Uint8Array() : encode(this.family, to);
    call(
      "sendto",
      to === undefined ? "the peer" : `${to.address} port ${to.port}`,
      this.#number,
      addressOf(data),
      data.byteLength,
      0,
      addressOf(bytes),
      bytes.byteLength,
    );
  }

  /** Waits for data for up to two seconds; returns it with its source. */
  receive(): { readonly text: string; readonly from: Endpoint } {
    const data = Buffer.alloc(2048);
    const { result, bytes } = withAddress((address, length) =>
      call("recvfrom", "", this.#number, addressOf(data), data.byteLength, 0, address, length),
    );
    return { text: data.toString("utf8", 0, result), from: decode(bytes) };
  }

  /** Waits for data, without asking for its source. */
  receiveText(): string {
    const data = Buffer.alloc(2048);
    return data.toString("utf8", 0, call("recvfrom", "", this.#number, addressOf(data), data.byteLength, 0, 0, 0));
  }

  get number(): number {
    return this.#number;
  }

  close(): void {
    if (this.#open) closeSync(this.#number);
    this.#open = false;
  }

  #name(which: "getsockname" | "getpeername"): Endpoint {
    return decode(withAddress((address, length) => call(which, "", this.#number, address, length)).bytes);
  }
}

/** Runs `use`, then closes all sockets registered with `keep`. */
export function withSockets<T>(use: (keep: (socket: Socket) => Socket) => T): T {
  const sockets: Socket[] = [];
  try {
    return use((socket) => {
      sockets.push(socket);
      return socket;
    });
  } finally {
    for (const socket of sockets) socket.close();
  }
}

function call(name: Call, subject: string, ...args: readonly (number | bigint)[]): number {
  const number = numbers[process.arch]?.[name];
  if (number === undefined) throw new Error(`cannot call ${name}: its number is unknown for ${process.arch}`);
  for (;;) {
    const { result, errno } = syscall(number, ...args);
    if (result >= 0) return result;
    if (errno !== Errno.EINTR) throw new SocketError(name, subject, errno);
  }
}

function withAddress(use: (address: bigint, length: bigint) => number): { result: number; bytes: Uint8Array } {
  const bytes = new Uint8Array(28);
  const length = Uint32Array.from([bytes.byteLength]);
  const result = use(addressOf(bytes), addressOf(new Uint8Array(length.buffer)));
  return { result, bytes };
}

/** `struct sockaddr_in` or `struct sockaddr_in6`. For an IPv6 socket, an IPv4 address becomes v4-mapped. */
function encode(family: typeof AF_INET | typeof AF_INET6, { address, port }: Endpoint): Uint8Array {
  const bytes = new Uint8Array(family === AF_INET ? 16 : 28);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, family, true);
  view.setUint16(2, port);
  if (family === AF_INET) bytes.set(encodeValue(ipv4, address), 4);
  else bytes.set(encodeValue(ipv6, address.includes(":") ? address : `::ffff:${address}`), 8);
  return bytes;
}

function decode(bytes: Uint8Array): Endpoint {
  const view = new DataView(bytes.buffer);
  const address = view.getUint16(0, true) === AF_INET ? decodeValue(ipv4, bytes, 4) : decodeValue(ipv6, bytes, 8);
  return { address, port: view.getUint16(2) };
}
