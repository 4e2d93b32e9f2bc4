import { encodeContext, type ContextValues } from "./context/context.ts";
import { socketLayout } from "./context/layout.ts";
import { Region } from "./memory/region.ts";

/** What a program may know of a socket beyond its cookie (`struct bpf_sock`). */
export type SocketFields = Pick<
  ContextValues,
  | "boundDevIf"
  | "family"
  | "type"
  | "protocol"
  | "mark"
  | "priority"
  | "srcIp4"
  | "srcIp6"
  | "srcPort"
  | "dstPort"
  | "dstIp4"
  | "dstIp6"
  | "state"
  | "rxQueueMapping"
>;

export interface SocketOptions extends SocketFields {
  /** Default: the next one that no socket of this kernel has had. */
  readonly cookie?: bigint;
  /** Default: that of the kernel's first namespace. */
  readonly netnsCookie?: bigint;
}

/** A socket of the simulated kernel, which programs of several hooks may meet one after another. */
export class SimulatedSocket {
  readonly cookie: bigint;
  readonly netnsCookie: bigint;
  readonly fields: SocketFields;

  constructor(cookie: bigint, netnsCookie: bigint, fields: SocketFields) {
    this.cookie = cookie;
    this.netnsCookie = netnsCookie;
    this.fields = fields;
  }
}

/** What a pointer to a socket, such as `ctx->sk`, points to. */
export class SocketRegion extends Region {
  readonly socket: SimulatedSocket;

  constructor(socket: SimulatedSocket) {
    super("the socket", encodeContext(socketLayout, socket.fields), "read-only");
    this.socket = socket;
  }
}
