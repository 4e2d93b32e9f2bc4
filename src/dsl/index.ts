/** The typed builder: BPF programs as TypeScript functions. */
export { cgroup, socketFilter, xdp, type BuilderOf, type ContextOf, type Definer } from "./hooks.ts";
export { PROCEED, REJECT, XdpAction, type Hook } from "../hooks/index.ts";
export type { Context, SockAddr4, SockAddr6 } from "./context.ts";
export type { Builder, BuilderWith, CoreBuilder, Mutable } from "./builder.ts";
export type { Condition } from "./condition.ts";
export { AddressFamily, Protocol, SocketType } from "./constants.ts";
export { BuildError } from "./errors.ts";
export { methodsOf, type HelperFamily, type HelperMethod, type Helpers } from "./helpers/index.ts";
export { helper, type HelperFunction, type Prototype } from "./declare-helper.ts";
export type { AnyContext, KernelPointer, Socket } from "./kernel-pointer.ts";
export type { IpAddress, IpAddressField } from "./ip-address.ts";
export type { Ipv6, Ipv6Field } from "./ipv6.ts";
export type { Nullable } from "./nullable.ts";
export { define, type BuildOptions, type ProgramOptions, type ProgramSource } from "./program.ts";
export type { ArrayRef, Init, Ref, ScalarRef, StructRef } from "./reference.ts";
export type { Field, Operand, Scalar } from "./scalar.ts";
export { subprogram } from "./subprogram.ts";
export type { Subprogram } from "./subprogram-call.ts";
