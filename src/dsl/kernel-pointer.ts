import type { Value } from "../compiler/index.ts";
import type { Emitter } from "./emitter.ts";
import { BuildError } from "./errors.ts";

/** A pointer to an object of the kernel, as helpers take it. */
export interface KernelPointer<T extends string> {
  readonly points: T;
}

/** The context as a whole, as helpers take it. */
export interface AnyContext extends KernelPointer<"context"> {}

/** A socket: the context's `sk`, or the context of a program that runs on a socket. */
export type Socket = KernelPointer<"bpf_sock"> | AnyContext;

/** The SSA values behind contexts and kernel pointers. */
const values = new WeakMap<object, () => Value>();

/** Makes an object stand for an address that only helpers take. */
export function standsFor<T extends object>(object: T, value: () => Value): T {
  values.set(object, value);
  return object;
}

/** The SSA value of a context or of a kernel pointer from one. @throws {BuildError} for anything else */
export function pointerValue(emitter: Emitter, pointer: unknown): Value {
  const value = typeof pointer === "object" && pointer !== null ? values.get(pointer) : undefined;
  if (value === undefined)
    throw new BuildError("expected a context or a pointer from it, such as ctx.sk", emitter.source);
  return value();
}
