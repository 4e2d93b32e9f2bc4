/**
 * The kernel's helper functions as methods of the builder (bpf-helpers(7)), in
 * families: a hook lists the families that the kernel has for it. A family is a
 * file of this folder, registered in two lines below.
 */
import type { Hook } from "../../hooks/index.ts";
import { netnsCookie, socketCookie, type NetnsCookieHelpers, type SocketCookieHelpers } from "./cookies.ts";
import { cpu, type CpuHelpers } from "./cpu.ts";
import type { Implementation } from "./call.ts";
import { retval, type RetvalHelpers } from "./retval.ts";
import { ringBuffer, type RingBufferHelpers } from "./ring-buffer.ts";
import {
  socketStorage,
  socketStorageDelete,
  type SocketStorageDeleteHelpers,
  type SocketStorageHelpers,
} from "./socket-storage.ts";
import { tailCall, type TailCallHelpers } from "./tail-call.ts";
import { task, type TaskHelpers } from "./task.ts";
import { time, type TimeHelpers } from "./time.ts";

/** The methods of all families. A builder has the ones of its hook's families; `R` is what the program may return. */
export interface Helpers<R>
  extends TimeHelpers,
    CpuHelpers,
    TaskHelpers,
    SocketCookieHelpers,
    NetnsCookieHelpers,
    SocketStorageHelpers<R>,
    SocketStorageDeleteHelpers,
    RetvalHelpers,
    RingBufferHelpers,
    TailCallHelpers {}

const families = {
  time,
  cpu,
  task,
  socketCookie,
  netnsCookie,
  socketStorage,
  socketStorageDelete,
  retval,
  ringBuffer,
  tailCall,
};

/** The name of a family of helpers. */
export type HelperFamily = keyof typeof families;

/** The name of a helper as a method. */
export type HelperMethod = keyof Helpers<unknown>;

/** The methods of a union of families. */
export type MethodOf<F> = F extends HelperFamily ? keyof (typeof families)[F] & HelperMethod : never;

/** The methods that programs of a hook have. */
export type MethodsOf<K extends Hook> = MethodOf<K["helpers"][number]>;

/** The names of the methods of some families. */
export const methodsOf = (names: readonly string[]): HelperMethod[] =>
  names.flatMap((name) => Object.keys(families[name as HelperFamily]) as HelperMethod[]);

/** Every method's implementation. */
export const helperMethods = Object.assign({}, ...Object.values(families)) as {
  readonly [M in HelperMethod]: Implementation;
};
