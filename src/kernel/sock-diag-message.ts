/**
 * Messages of the kernel's socket monitoring interface: sock_diag(7), linux/sock_diag.h, linux/inet_diag.h,
 * linux/netlink.h. Numbers are in host byte order, which is little endian on all supported machines; addresses
 * and ports are in network byte order.
 */
import { decodeValue, encodeValue, ipv4, ipv6, withoutMapping } from "../types/index.ts";

/** The address family of a socket. */
export type SocketFamily = "ipv4" | "ipv6";

/** `AF_INET` and `AF_INET6`. */
const familyNumbers = { ipv4: 2, ipv6: 10 } as const satisfies Record<SocketFamily, number>;

/** TCP socket states (net/tcp_states.h). A datagram socket is ESTABLISHED if it is connected, else CLOSE. */
export const SocketState = {
  ESTABLISHED: 1,
  SYN_SENT: 2,
  SYN_RECV: 3,
  FIN_WAIT1: 4,
  FIN_WAIT2: 5,
  TIME_WAIT: 6,
  CLOSE: 7,
  CLOSE_WAIT: 8,
  LAST_ACK: 9,
  LISTEN: 10,
  CLOSING: 11,
} as const;

/** The address and port at the other end of a connected socket. */
export interface Destination {
  /** As text. In a query, an IPv4 address also matches its IPv4-mapped IPv6 form. */
  readonly address: string;
  readonly port: number;
}

/** Selects sockets of a network namespace. */
export interface SocketQuery {
  readonly family: SocketFamily;
  /** IP protocol number: 6 TCP, 17 UDP, 136 UDP-Lite. */
  readonly protocol: number;
  /** `SocketState`s. */
  readonly states: readonly number[];
  /** Only sockets connected to one of these. All sockets if empty, or if longer than `MAX_COMPARED_DESTINATIONS`. */
  readonly destinations: readonly Destination[];
}

/** A socket as the kernel describes it. */
export interface DiagnosedSocket {
  readonly family: SocketFamily;
  /** A `SocketState`. */
  readonly state: number;
  /** `struct inet_diag_sockid`: addresses, ports, interface and cookie, which identify the socket to the kernel. */
  readonly id: Uint8Array;
  /** 0 if no process has the socket open. */
  readonly inode: number;
}

/** A message from the kernel. */
export type DiagReply =
  | { readonly kind: "socket"; readonly sequence: number; readonly socket: DiagnosedSocket }
  /** `errno` is 0 if the request succeeded. */
  | { readonly kind: "result"; readonly sequence: number; readonly errno: number }
  | { readonly kind: "done"; readonly sequence: number; readonly errno: number };

/** `NLMSG_ERROR`, `NLMSG_DONE`, `SOCK_DIAG_BY_FAMILY`, `SOCK_DESTROY`. */
const MessageType = { ERROR: 2, DONE: 3, BY_FAMILY: 20, DESTROY: 21 } as const;
/** `NLM_F_REQUEST`, `NLM_F_ACK`, `NLM_F_DUMP`. */
const Flag = { REQUEST: 1, ACK: 4, DUMP: 0x300 } as const;
/** `INET_DIAG_REQ_BYTECODE`. */
const BYTECODE_ATTRIBUTE = 1;
/** `INET_DIAG_BC_JMP`, `INET_DIAG_BC_D_COND`. */
const Bytecode = { JUMP: 1, DESTINATION: 8 } as const;

const HEADER = 16;
const ATTRIBUTE_HEADER = 4;
/** `struct inet_diag_req_v2` up to `id`, `struct inet_diag_msg` up to `id`, and that id. */
const REQUEST_HEAD = 8;
const SOCKET_HEAD = 4;
const ID = 48;
const INODE_OFFSET = SOCKET_HEAD + ID + 16;
const SOCKET_SIZE = INODE_OFFSET + 4;

/** The limit on a query's destinations: the kernel compares each socket with one after the other. */
export const MAX_COMPARED_DESTINATIONS = 256;

/** A request for sockets; its replies end with `done`. */
export function listMessage({ family, protocol, states, destinations }: SocketQuery, sequence: number): Uint8Array {
  const request = Buffer.alloc(REQUEST_HEAD + ID);
  request.writeUInt8(familyNumbers[family], 0);
  request.writeUInt8(protocol, 1);
  request.writeUInt32LE(
    states.reduce((set, state) => set | (1 << state), 0),
    4,
  );
  const attributes = [];
  if (destinations.length > 0 && destinations.length <= MAX_COMPARED_DESTINATIONS) {
    attributes.push(attribute(BYTECODE_ATTRIBUTE, anyDestination(destinations)));
  }
  return message(MessageType.BY_FAMILY, Flag.REQUEST | Flag.DUMP, sequence, [request, ...attributes]);
}

/** A request for one datagram socket, if it is still connected as before; the result is ENOENT if not. */
export function datagramSocketMessage(protocol: number, { family, id }: DiagnosedSocket, sequence: number): Uint8Array {
  // For datagram sockets only, the kernel expects the two ends swapped here (net/ipv4/udp_diag.c).
  const swapped = Buffer.from(id);
  swapped.set(id.subarray(2, 4), 0);
  swapped.set(id.subarray(0, 2), 2);
  swapped.set(id.subarray(20, 36), 4);
  swapped.set(id.subarray(4, 20), 20);
  return message(MessageType.BY_FAMILY, Flag.REQUEST, sequence, [socketRequest(protocol, family, swapped)]);
}

/** A request to close a socket; the reply is a `result`. */
export function destroyMessage(protocol: number, { family, id }: DiagnosedSocket, sequence: number): Uint8Array {
  return message(MessageType.DESTROY, Flag.REQUEST | Flag.ACK, sequence, [socketRequest(protocol, family, id)]);
}

function socketRequest(protocol: number, family: SocketFamily, id: Uint8Array): Uint8Array {
  const request = Buffer.alloc(REQUEST_HEAD + ID);
  request.writeUInt8(familyNumbers[family], 0);
  request.writeUInt8(protocol, 1);
  request.writeUInt32LE(0xffff_ffff, 4);
  request.set(id, REQUEST_HEAD);
  return request;
}

function message(type: number, flags: number, sequence: number, parts: readonly Uint8Array[]): Uint8Array {
  const header = Buffer.alloc(HEADER);
  header.writeUInt32LE(HEADER + parts.reduce((sum, part) => sum + part.length, 0), 0);
  header.writeUInt16LE(type, 4);
  header.writeUInt16LE(flags, 6);
  header.writeUInt32LE(sequence, 8);
  return Buffer.concat([header, ...parts]);
}

/** A netlink attribute, padded to 4 bytes. */
function attribute(type: number, content: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc(ATTRIBUTE_HEADER + aligned(content.length));
  bytes.writeUInt16LE(ATTRIBUTE_HEADER + content.length, 0);
  bytes.writeUInt16LE(type, 2);
  bytes.set(content, ATTRIBUTE_HEADER);
  return bytes;
}

/**
 * A filter for sockets with any of these destinations: a list of `struct inet_diag_bc_op`, each of which
 * advances by its `yes` or `no` bytes. Reaching exactly the end accepts the socket; 4 bytes past the end
 * rejects it.
 */
function anyDestination(destinations: readonly Destination[]): Uint8Array {
  const JUMP = 4;
  const conditions = destinations.map(condition);
  let left = conditions.reduce((sum, { length }) => sum + length, 0) + JUMP * (conditions.length - 1);
  const parts = conditions.flatMap((bytes, i) => {
    bytes.writeUInt8(Bytecode.DESTINATION, 0);
    bytes.writeUInt8(bytes.length, 1);
    // Past the jump to the next condition; after the last condition, past the end.
    bytes.writeUInt16LE(bytes.length + JUMP, 2);
    left -= bytes.length;
    if (i === conditions.length - 1) return [bytes];
    const jump = Buffer.alloc(JUMP);
    jump.writeUInt8(Bytecode.JUMP, 0);
    jump.writeUInt8(JUMP, 1);
    jump.writeUInt16LE(left, 2);
    left -= JUMP;
    return [bytes, jump];
  });
  return Buffer.concat(parts);
}

/** Space for an operation, then `struct inet_diag_hostcond`, whose port is in host byte order. */
function condition({ address, port }: Destination): Buffer {
  const family: SocketFamily = address.includes(":") ? "ipv6" : "ipv4";
  const encoded = family === "ipv4" ? encodeValue(ipv4, address) : encodeValue(ipv6, address);
  const bytes = Buffer.alloc(4 + 8 + encoded.length);
  bytes.writeUInt8(familyNumbers[family], 4);
  bytes.writeUInt8(8 * encoded.length, 5);
  bytes.writeInt32LE(port, 8);
  bytes.set(encoded, 12);
  return bytes;
}

/**
 * Reads the messages of one datagram from the kernel. The result does not refer to `bytes`.
 * @throws {RangeError} if they are malformed
 */
export function decodeReplies(bytes: Uint8Array): DiagReply[] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const replies: DiagReply[] = [];
  for (let at = 0; at < buffer.length; ) {
    const length = buffer.readUInt32LE(at);
    if (length < HEADER || at + length > buffer.length) throw malformed();
    const type = buffer.readUInt16LE(at + 4);
    const sequence = buffer.readUInt32LE(at + 8);
    const body = buffer.subarray(at + HEADER, at + length);
    if (type === MessageType.BY_FAMILY) replies.push({ kind: "socket", sequence, socket: decodeSocket(body) });
    else if (type === MessageType.ERROR) replies.push({ kind: "result", sequence, errno: -body.readInt32LE(0) });
    else if (type === MessageType.DONE) replies.push({ kind: "done", sequence, errno: -body.readInt32LE(0) });
    at += aligned(length);
  }
  return replies;
}

function decodeSocket(body: Buffer): DiagnosedSocket {
  if (body.length < SOCKET_SIZE) throw malformed();
  return {
    family: body.readUInt8(0) === familyNumbers.ipv6 ? "ipv6" : "ipv4",
    state: body.readUInt8(1),
    id: Uint8Array.from(body.subarray(SOCKET_HEAD, SOCKET_HEAD + ID)),
    inode: body.readUInt32LE(INODE_OFFSET),
  };
}

/** The destination of a connected socket; an IPv4-mapped address becomes IPv4. */
export function destinationOf({ family, id }: DiagnosedSocket): Destination {
  const bytes = Buffer.from(id.buffer, id.byteOffset, id.byteLength);
  const port = bytes.readUInt16BE(2);
  const address =
    family === "ipv4" ? decodeValue(ipv4, bytes.subarray(20, 24)) : decodeValue(ipv6, bytes.subarray(20, 36));
  return { address: withoutMapping(address), port };
}

/** The socket's cookie, as bpf_get_socket_cookie returns it. */
export function cookieOf({ id }: DiagnosedSocket): bigint {
  return Buffer.from(id.buffer, id.byteOffset, id.byteLength).readBigUInt64LE(40);
}

function aligned(length: number): number {
  return (length + 3) & ~3;
}

function malformed(): RangeError {
  return new RangeError("cannot read a reply of the kernel's socket monitoring interface: it is malformed");
}
