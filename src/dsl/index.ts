/** The typed builder: BPF programs as TypeScript functions. */
import type { HelperMethod } from "./helpers.ts";
import type { ContextFields, Hook } from "./hooks/hook.ts";
import * as address from "./hooks/sock-addr.ts";
import * as packet from "./hooks/packet.ts";
import * as sock from "./hooks/sock.ts";
import { define, type ProgramBody, type ProgramSource } from "./program.ts";

const on =
  <C extends ContextFields, R, H extends HelperMethod, S extends string>(hook: Hook<C, R, H, S>) =>
  (name: string, body: ProgramBody<C, R, H, S>, options?: { license?: string }): ProgramSource =>
    define(hook, name, body, options);

/** Programs on a cgroup's sockets. */
export const cgroup = {
  connect4: on(address.connect4),
  connect6: on(address.connect6),
  bind4: on(address.bind4),
  bind6: on(address.bind6),
  sendmsg4: on(address.sendmsg4),
  sendmsg6: on(address.sendmsg6),
  recvmsg4: on(address.recvmsg4),
  recvmsg6: on(address.recvmsg6),
  getpeername4: on(address.getpeername4),
  getpeername6: on(address.getpeername6),
  getsockname4: on(address.getsockname4),
  getsockname6: on(address.getsockname6),
  sockCreate: on(sock.sockCreate),
  sockRelease: on(sock.sockRelease),
  postBind4: on(sock.postBind4),
  postBind6: on(sock.postBind6),
  ingress: on(packet.cgroupSkbIngress),
  egress: on(packet.cgroupSkbEgress),
} as const;

/** A filter on a single socket. */
export const socketFilter = on(packet.socketFilter);

/** Programs on packets as a network driver receives them. */
export const xdp = on(packet.xdp);

export { XdpAction } from "./hooks/packet.ts";
export { PROCEED, REJECT, type SockAddr4, type SockAddr6 } from "./hooks/sock-addr.ts";
export type { Builder, BuilderWith, CoreBuilder, Mutable } from "./builder.ts";
export type { Condition } from "./condition.ts";
export { AddressFamily, Errno, Protocol, SocketType } from "./constants.ts";
export { BuildError } from "./errors.ts";
export type { Helpers, HelperMethod, Socket } from "./helpers.ts";
export type { AnyContext, Context, Hook, KernelPointer } from "./hooks/hook.ts";
export type { Ipv6, Ipv6Field } from "./ipv6.ts";
export type { Mistake } from "./mistakes.ts";
export type { Nullable } from "./nullable.ts";
export { define, type BuildOptions, type ProgramSource } from "./program.ts";
export type { ArrayRef, Init, Ref, ScalarRef, StructRef } from "./reference.ts";
export type { Field, Operand, Scalar } from "./scalar.ts";
export { subprogram, type Subprogram } from "./subprogram.ts";
