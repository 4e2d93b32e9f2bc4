import { BpfError } from "./bpf-error.ts";
import { syscall, type NativeStruct, type SyscallResult } from "./ffi.ts";
import { syscallNumbers } from "./syscall-numbers.ts";

/** `enum bpf_cmd`. */
export const BpfCommand = {
  BPF_MAP_CREATE: 0,
  BPF_MAP_LOOKUP_ELEM: 1,
  BPF_MAP_UPDATE_ELEM: 2,
  BPF_MAP_DELETE_ELEM: 3,
  BPF_MAP_GET_NEXT_KEY: 4,
  BPF_PROG_LOAD: 5,
  BPF_OBJ_PIN: 6,
  BPF_OBJ_GET: 7,
  BPF_PROG_ATTACH: 8,
  BPF_PROG_DETACH: 9,
  BPF_PROG_TEST_RUN: 10,
  BPF_PROG_GET_NEXT_ID: 11,
  BPF_MAP_GET_NEXT_ID: 12,
  BPF_PROG_GET_FD_BY_ID: 13,
  BPF_MAP_GET_FD_BY_ID: 14,
  BPF_OBJ_GET_INFO_BY_FD: 15,
  BPF_PROG_QUERY: 16,
  BPF_BTF_LOAD: 18,
  BPF_BTF_GET_FD_BY_ID: 19,
  BPF_MAP_LOOKUP_AND_DELETE_ELEM: 21,
  BPF_MAP_FREEZE: 22,
  BPF_BTF_GET_NEXT_ID: 23,
  BPF_MAP_LOOKUP_BATCH: 24,
  BPF_MAP_LOOKUP_AND_DELETE_BATCH: 25,
  BPF_MAP_UPDATE_BATCH: 26,
  BPF_MAP_DELETE_BATCH: 27,
  BPF_LINK_CREATE: 28,
  BPF_LINK_UPDATE: 29,
  BPF_LINK_GET_FD_BY_ID: 30,
  BPF_LINK_GET_NEXT_ID: 31,
  BPF_ENABLE_STATS: 32,
  BPF_LINK_DETACH: 34,
  BPF_PROG_BIND_MAP: 35,
} as const;

export type BpfCommand = keyof typeof BpfCommand;

/** Buffers whose addresses an attr contains. */
export type Referenced = readonly (Uint8Array | undefined)[];

/** Buffers of the call in progress: an address alone does not protect a buffer from the garbage collector. */
const held: Referenced[] = [];

/**
 * Makes the system call.
 * @param subject names the object in the error
 * @param referenced buffers whose addresses `attr` contains
 * @returns the call's result, never negative
 * @throws {BpfError}
 */
export function bpf(
  command: BpfCommand,
  attr: NativeStruct<object>,
  subject: string,
  referenced: Referenced = [],
): number {
  const { result, errno } = tryBpf(command, attr, referenced);
  if (result < 0) throw new BpfError(command, subject, errno);
  return result;
}

/** Like `bpf`, but leaves a failure to the caller. */
export function tryBpf(
  command: BpfCommand,
  attr: NativeStruct<object>,
  referenced: Referenced = NO_BUFFERS,
): SyscallResult {
  held.push(referenced);
  const result = syscall(
    (systemCall ??= syscallNumbers().bpf),
    BpfCommand[command],
    attr.address,
    attr.memory.byteLength,
  );
  held.pop();
  return result;
}

const NO_BUFFERS: Referenced = [];
let systemCall: number | undefined;

/** Encodes text for C: UTF-8 with a final zero byte. */
export function cString(text: string): Uint8Array {
  return Buffer.from(`${text}\0`, "utf8");
}

/** A valid name for a kernel object: other characters become `_`, and the first 15 are kept. */
export function objectName(name: string): string {
  return name.replace(/[^A-Za-z0-9_.]/g, "_").slice(0, 15);
}
