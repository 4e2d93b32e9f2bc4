import { encodeContext, type ContextValues } from "./context.ts";
import { socketLayout } from "./layout.ts";
import { Region } from "../memory/region.ts";

/** The fields of a socket that programs can read, besides its cookie (`struct bpf_sock`). */
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

/** The fields of a new simulated socket. */
export interface SocketOptions extends SocketFields {
  /** Default: the next unused cookie of this kernel. */
  readonly cookie?: bigint;
  /** Default: the cookie of the kernel's first namespace. */
  readonly netnsCookie?: bigint;
}

/**
 * A socket of the simulated kernel. Programs of several hooks can run on it.
 *
 * @example
 * ```ts
 * import { cgroup, PROCEED } from "tsbpf";
 * import { World } from "tsbpf/sim";
 *
 * const world = new World();
 * const socket = world.socket({ protocol: "udp", type: "dgram" });
 * world.run(cgroup.sendmsg4("allow", () => PROCEED), { socket });
 * console.log(socket.cookie); // 1n
 * ```
 */
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

/** The target of a pointer to a socket, such as `ctx->sk`. */
export class SocketRegion extends Region {
  readonly socket: SimulatedSocket;

  constructor(socket: SimulatedSocket) {
    super("the socket", encodeContext(socketLayout, socket.fields), "read-only");
    this.socket = socket;
  }
}
