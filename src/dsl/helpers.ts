import { type HelperName, helperNumber } from "../asm/index.ts";
import type { Effects, Value, ValueType } from "../compiler/ir/ir.ts";
import type { Constant, MapDefinition, MapType, Schema } from "../types/index.ts";
import type { Emitter } from "./emitter.ts";
import { BuildError } from "./errors.ts";
import type { AnyContext, KernelPointer } from "./hooks/hook.ts";
import type { Fits } from "./mistakes.ts";
import { Nullable } from "./nullable.ts";
import { addressOf, memoryOf, stackPlace, writeInit, type Init } from "./reference.ts";
import { operandValue, ScalarValue, type Scalar } from "./scalar.ts";

type SkStorage<V extends Schema> = MapDefinition<typeof MapType.SK_STORAGE, Schema, V>;
type RingBuffer<V extends Schema> = MapDefinition<typeof MapType.RINGBUF, Schema, V>;
type ProgArray = MapDefinition<typeof MapType.PROG_ARRAY>;
/** A socket, as the kernel hands it out: the context's `sk`, or the context of a program that runs on a socket. */
export type Socket = KernelPointer<"bpf_sock"> | AnyContext;

/**
 * The kernel's helper functions, under their own names (bpf-helpers(7)). A
 * builder has those that its hook may call.
 */
export interface Helpers<R> {
  /** Nanoseconds since boot, without time spent asleep. */
  ktimeGetNs(): Scalar<"u64">;
  /** Nanoseconds since boot. */
  ktimeGetBootNs(): Scalar<"u64">;
  /** A random number, anew with each call. */
  getPrandomU32(): Scalar<"u32">;
  getSmpProcessorId(): Scalar<"u32">;
  /** Thread group id in the upper half, thread id in the lower. */
  getCurrentPidTgid(): Scalar<"u64">;
  /** Group id in the upper half, user id in the lower. */
  getCurrentUidGid(): Scalar<"u64">;
  /** Id of the current task's cgroup in the v2 hierarchy. */
  getCurrentCgroupId(): Scalar<"u64">;
  /** Id of that cgroup or of the one above it which lies `level` below the root of the hierarchy (0: the root itself); 0 where it lies less deep. */
  getCurrentAncestorCgroupId(level: number | Scalar<"i32"> | Constant<"i32">): Scalar<"u64">;
  /** The socket's number, unique while the system is up. */
  getSocketCookie(context: AnyContext): Scalar<"u64">;
  /** The number of the socket's network namespace, unique while the system is up; without a context, that of the initial one. */
  getNetnsCookie(context?: AnyContext): Scalar<"u64">;
  /** What the map keeps for this socket; with `create`, zeroes where it had nothing. */
  skStorageGet<V extends Schema>(map: SkStorage<V>, socket: Socket, options?: { create?: boolean }): Nullable<V, R>;
  /** Forgets what the map keeps for this socket: 0, or a negative errno. */
  skStorageDelete(map: SkStorage<Schema>, socket: Socket): Scalar<"i64">;
  /** What the system call will return where the programs refuse it: 0 or a negative errno. Linux 5.18. */
  setRetval(value: number | Scalar<"i32"> | Constant<"i32">): void;
  /** What the system call would return as things stand. Linux 5.18. */
  getRetval(): Scalar<"i32">;
  /** Sends a record to user space: 0, or a negative errno where there is no room. */
  ringbufOutput<V extends Schema>(map: RingBuffer<V>, record: Init<V>): Scalar<"i64">;
  /** Goes on in another program and does not come back, unless the array has none at this index. */
  tailCall<O>(context: AnyContext, map: ProgArray, index: O & Fits<"u32", O>): void;
}

/** The name of a helper as a method. */
export type HelperMethod = keyof Helpers<unknown>;

/** Writes the call of one helper. */
type Implementation = (emitter: Emitter, ...args: never[]) => unknown;

const REMOVABLE: Effects = { removable: true };
const PURE: Effects = { pure: true };
const BPF_SK_STORAGE_GET_F_CREATE = 1n;

/** Calls a helper by the kernel's name for it. */
export function callHelper(
  emitter: Emitter,
  name: HelperName,
  args: readonly Value[],
  effects: Effects,
  type: ValueType = "i64",
): Value {
  return emitter.emit({ op: "call", helper: helperNumber(name)!, name, arguments: args, effects }, type);
}

/** A helper without map arguments, whose result is a number. */
function number(name: HelperName, kind: "u32" | "u64", effects: Effects): Implementation {
  return (emitter: Emitter, context?: unknown) => {
    const args = context === undefined ? [] : [pointerValue(emitter, context)];
    const result = callHelper(emitter, name, args, effects);
    const value = kind === "u32" ? emitter.emit({ op: "truncate", operand: result }, "i32") : result;
    return new ScalarValue(emitter, kind, value);
  };
}

export const helperMethods: { readonly [N in HelperMethod]: Implementation } = {
  ktimeGetNs: number("bpf_ktime_get_ns", "u64", REMOVABLE),
  ktimeGetBootNs: number("bpf_ktime_get_boot_ns", "u64", REMOVABLE),
  getPrandomU32: number("bpf_get_prandom_u32", "u32", REMOVABLE),
  getSmpProcessorId: number("bpf_get_smp_processor_id", "u32", PURE),
  getCurrentPidTgid: number("bpf_get_current_pid_tgid", "u64", PURE),
  getCurrentUidGid: number("bpf_get_current_uid_gid", "u64", PURE),
  getCurrentCgroupId: number("bpf_get_current_cgroup_id", "u64", PURE),
  getSocketCookie: number("bpf_get_socket_cookie", "u64", PURE),

  getNetnsCookie(emitter: Emitter, context?: unknown) {
    const argument = context === undefined ? emitter.constant("ptr", 0n) : pointerValue(emitter, context);
    return new ScalarValue(emitter, "u64", callHelper(emitter, "bpf_get_netns_cookie", [argument], PURE));
  },

  getCurrentAncestorCgroupId(emitter: Emitter, level: unknown) {
    const wide = emitter.emit(
      { op: "extend", bits: 32, signed: true, operand: operandValue(emitter, "i32", level) },
      "i64",
    );
    return new ScalarValue(emitter, "u64", callHelper(emitter, "bpf_get_current_ancestor_cgroup_id", [wide], PURE));
  },

  skStorageGet(emitter: Emitter, map: MapDefinition, socket: unknown, options: { create?: boolean } = {}) {
    const result = callHelper(
      emitter,
      "bpf_sk_storage_get",
      [
        emitter.emit({ op: "map", map }, "ptr"),
        pointerValue(emitter, socket),
        emitter.constant("i64", 0n),
        emitter.constant("i64", options.create ? BPF_SK_STORAGE_GET_F_CREATE : 0n),
      ],
      options.create ? {} : REMOVABLE,
      "ptr",
    );
    return Nullable.lookup(emitter, map.value, result);
  },

  skStorageDelete(emitter: Emitter, map: MapDefinition, socket: unknown) {
    const result = callHelper(
      emitter,
      "bpf_sk_storage_delete",
      [emitter.emit({ op: "map", map }, "ptr"), pointerValue(emitter, socket)],
      { clobbers: ["map"] },
    );
    return new ScalarValue(emitter, "i64", result);
  },

  setRetval(emitter: Emitter, value: unknown) {
    const wide = emitter.emit(
      { op: "extend", bits: 32, signed: true, operand: operandValue(emitter, "i32", value) },
      "i64",
    );
    callHelper(emitter, "bpf_set_retval", [wide], {});
  },

  getRetval(emitter: Emitter) {
    const result = callHelper(emitter, "bpf_get_retval", [], REMOVABLE);
    return new ScalarValue(emitter, "i32", emitter.emit({ op: "truncate", operand: result }, "i32"));
  },

  ringbufOutput(emitter: Emitter, map: MapDefinition, record: unknown) {
    const result = callHelper(
      emitter,
      "bpf_ringbuf_output",
      [
        emitter.emit({ op: "map", map }, "ptr"),
        valueAddress(emitter, map.value, record),
        emitter.constant("i64", BigInt(map.value.size)),
        emitter.constant("i64", 0n),
      ],
      { reads: [1] },
    );
    return new ScalarValue(emitter, "i64", result);
  },

  tailCall(emitter: Emitter, context: unknown, map: MapDefinition, index: unknown) {
    const wide = emitter.emit(
      { op: "extend", bits: 32, signed: false, operand: operandValue(emitter, "u32", index) },
      "i64",
    );
    callHelper(
      emitter,
      "bpf_tail_call",
      [pointerValue(emitter, context), emitter.emit({ op: "map", map }, "ptr"), wide],
      { clobbers: ["map", "packet"] },
    );
  },
};

/** The address of a value for a helper to read: where it is in memory already, or a copy on the stack. */
export function valueAddress(emitter: Emitter, schema: Schema, init: unknown): Value {
  const known = memoryOf(init);
  if (known !== undefined && known.schema === schema && known.place.space !== "context")
    return addressOf(emitter, known.place);
  const place = stackPlace(emitter, schema);
  writeInit(emitter, schema, place, init);
  return place.address;
}

/** Where kernel pointers keep their SSA value. */
const values = new WeakMap<object, () => Value>();

/** Makes something stand for an address that only helpers may look behind. */
export function standsFor<T extends object>(object: T, value: () => Value): T {
  values.set(object, value);
  return object;
}

/** The SSA value of a context or of a kernel pointer from one. */
export function pointerValue(emitter: Emitter, pointer: unknown): Value {
  const value = typeof pointer === "object" && pointer !== null ? values.get(pointer) : undefined;
  if (value === undefined) throw new BuildError("a context or a kernel pointer from it is expected", emitter.source);
  return value();
}
