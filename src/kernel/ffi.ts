/**
 * Foreign function calls, confined to this file: a system call by number, the address of a buffer, a buffer at
 * an address, and struct declarations. Another backend provides the same four.
 *
 * The library (node-ffi-napi) is loaded on first use, so everything that needs no kernel works without the
 * library and without Linux.
 */
import { createRequire } from "node:module";

/** The outcome of `syscall(2)`. `errno` is 0 unless the result is -1. */
export interface SyscallResult {
  readonly result: number;
  readonly errno: number;
}

/**
 * A native struct: fields as properties over `memory`, which starts at `address`. The address is a number
 * because a number is a cheaper system call argument than a bigint; Linux gives out no user-space address above
 * 2^47 unless asked.
 */
export type NativeStruct<F> = F & { readonly memory: Buffer; readonly address: number };

/** Makes zeroed instances of a struct, with C's layout. */
export interface NativeStructType<F> {
  readonly size: number;
  /** Bytes from the start of the struct. */
  readonly offsets: { readonly [N in keyof F]: number };
  /** An instance with these values; all other fields are zero. */
  create(values?: Partial<F>): NativeStruct<F>;
}

/** Field types. Up to 32 bits a field is a `number`; `u64` is a `bigint`, `name` is `char[16]`, `tag` is 8 bytes. */
type NativeField = "u8" | "u16" | "u32" | "u64" | "name" | "tag";

type NativeValue<T> = T extends "u64" ? bigint : T extends "name" ? string : T extends "tag" ? Uint8Array : number;

/** Bytes of a kernel object's name, including the final zero (`BPF_OBJ_NAME_LEN`). */
const NAME_SIZE = 16;
/** `BPF_TAG_SIZE`. */
const TAG_SIZE = 8;

/** The native package that makes foreign calls does not work here. The message names the repairing command. */
export class FfiUnavailableError extends Error {
  override readonly name = "FfiUnavailableError";

  /** @param cause what importing them threw */
  constructor(cause: unknown) {
    const missing = cause instanceof Error && "code" in cause && cause.code === "MODULE_NOT_FOUND";
    const why = cause instanceof Error ? cause.message.split("\n")[0] : String(cause);
    // The package's C++ is not C++20, which Node 24 and later have their addons compiled as.
    const standard = Number(process.versions.node.split(".")[0]) >= 24 ? "CXXFLAGS=-std=gnu++17 " : "";
    super(
      missing
        ? "the BPF system call needs the native package @2060.io/ffi-napi, which npm could not build: install a C++ " +
            `toolchain (apt-get install g++ make python3) and run ${standard}npm install`
        : "the BPF system call needs the native package @2060.io/ffi-napi, which does not work with " +
            `${process.platform} ${process.arch} and Node ${process.version} (${why}): run ` +
            `${standard}npm rebuild @2060.io/ffi-napi @2060.io/ref-napi`,
      { cause },
    );
  }
}

/**
 * Makes a system call. Arguments are numbers (up to 2^53, or negative) or 64-bit bigints. For a pointer, pass
 * `addressOf(buffer)` and keep the buffer alive until the call returns.
 *
 * @throws {FfiUnavailableError} if the library does not work
 */
export function syscall(number: number, ...args: readonly (number | bigint)[]): SyscallResult {
  return backend().syscall(number, args);
}

/** The address of a buffer's first byte, valid as long as the buffer lives. */
export function addressOf(bytes: Uint8Array): bigint {
  return bytes.byteLength === 0 ? 0n : backend().addressOf(bytes);
}

/**
 * The memory at an address, not copied. The caller guarantees that the memory stays mapped while the buffer is
 * used.
 */
export function memoryAt(address: bigint, length: number): Buffer {
  return backend().memoryAt(address, length);
}

/** Declares a struct with C's layout. */
export function nativeStruct<const F extends Readonly<Record<string, NativeField>>>(
  fields: F,
): NativeStructType<{ -readonly [N in keyof F]: NativeValue<F[N]> }> {
  type Values = { -readonly [N in keyof F]: NativeValue<F[N]> };
  let type: StructConstructor | undefined;
  const constructor = () => (type ??= backend().struct(fields));
  return {
    get size() {
      return constructor().size;
    },
    get offsets() {
      const entries = Object.entries(constructor().fields).map(([name, field]) => [name, field.offset]);
      return Object.fromEntries(entries) as { readonly [N in keyof Values]: number };
    },
    create(values) {
      const instance = new (constructor())(values as Record<string, unknown> | undefined);
      const memory = instance.ref();
      Object.defineProperties(instance, { memory: { value: memory }, address: { value: Number(addressOf(memory)) } });
      return instance as unknown as NativeStruct<Values>;
    },
  };
}

interface Backend {
  syscall(number: number, args: readonly (number | bigint)[]): SyscallResult;
  addressOf(bytes: Uint8Array): bigint;
  memoryAt(address: bigint, length: number): Buffer;
  struct(fields: Readonly<Record<string, NativeField>>): StructConstructor;
}

// The parts of the libraries in use; their own type declarations omit the low-level API.
interface FfiLibrary {
  readonly CIF: (result: unknown, args: readonly unknown[]) => Buffer;
  readonly DynamicLibrary: (path: string | null) => { get(symbol: string): Buffer };
  readonly types: Readonly<Record<string, unknown>>;
}
interface FfiBindings {
  ffi_call(cif: Buffer, func: Buffer, result: Buffer, args: Buffer): void;
  readonly StaticFunctions: { readonly _errno: Buffer };
}
interface RefLibrary {
  address(buffer: Buffer): number;
  reinterpret(buffer: Buffer, size: number): Buffer;
  readPointer(buffer: Buffer, offset: number, length: number): Buffer;
}
interface NativeType {
  readonly size: number;
  readonly alignment: number;
  readonly indirection: 1;
  get(buffer: Buffer, offset: number): unknown;
  set(buffer: Buffer, offset: number, value: unknown): void;
}
interface StructConstructor {
  new (values?: Record<string, unknown>): { ref(): Buffer };
  readonly size: number;
  readonly fields: Readonly<Record<string, { readonly offset: number }>>;
}

let loaded: Backend | undefined;

function backend(): Backend {
  return (loaded ??= load());
}

/** `syscall(2)`'s number and its six arguments. */
const SLOTS = 7;

function load(): Backend {
  // In a CommonJS bundle import.meta.url is undefined, and the packages are found from the bundle.
  const require = createRequire((import.meta.url as string | undefined) ?? process.argv[1]!);
  let ffi: FfiLibrary;
  let bindings: FfiBindings;
  let ref: RefLibrary;
  let declareStruct: (fields: Record<string, NativeType>) => StructConstructor;
  try {
    ffi = require("@2060.io/ffi-napi") as FfiLibrary;
    bindings = require("@2060.io/ffi-napi/lib/bindings") as FfiBindings;
    ref = require("@2060.io/ref-napi") as RefLibrary;
    declareStruct = (require("ref-struct-di") as (ref: RefLibrary) => typeof declareStruct)(ref);
  } catch (cause) {
    throw new FfiUnavailableError(cause);
  }

  // The library's ordinary path allocates about ten buffers per call and takes 50 µs. A prepared call interface
  // over permanent buffers takes less than 1 µs.
  const { int64, int32 } = ffi.types;
  const callInterface = ffi.CIF(int64, new Array(SLOTS).fill(int64));
  const syscallFunction = ffi.DynamicLibrary(null).get("syscall");
  const slots = Buffer.alloc(8 * SLOTS);
  const pointers = Buffer.alloc(8 * SLOTS);
  const result = Buffer.alloc(8);
  const errnoInterface = ffi.CIF(int32, []);
  const errnoFunction = bindings.StaticFunctions._errno;
  const errnoResult = Buffer.alloc(8);

  const asBuffer = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const addressOf = (bytes: Uint8Array) => BigInt(ref.address(asBuffer(bytes)));

  const words = new Uint32Array(slots.buffer, slots.byteOffset, 2 * SLOTS);
  const wide = new BigInt64Array(slots.buffer, slots.byteOffset, SLOTS);
  const start = addressOf(slots);
  for (let i = 0; i < SLOTS; i++) pointers.writeBigUInt64LE(start + BigInt(8 * i), 8 * i);

  const setSlot = (i: number, value: number | bigint) => {
    if (typeof value === "bigint") {
      wide[i] = BigInt.asIntN(64, value);
    } else {
      words[2 * i] = value;
      words[2 * i + 1] = Math.floor(value / 2 ** 32);
    }
  };
  const resultWords = new Int32Array(result.buffer, result.byteOffset, 2);
  const { ffi_call } = bindings;

  return {
    addressOf,
    syscall(number, args) {
      setSlot(0, number);
      for (let i = 0; i < args.length; i++) setSlot(i + 1, args[i]!);
      ffi_call(callInterface, syscallFunction, result, pointers);
      const low = resultWords[0]!;
      const high = resultWords[1]!;
      if (low !== -1 || high !== -1) return { result: high * 2 ** 32 + (low >>> 0), errno: 0 };
      ffi_call(errnoInterface, errnoFunction, errnoResult, pointers);
      return { result: -1, errno: errnoResult.readInt32LE(0) };
    },
    memoryAt(address, length) {
      const pointer = Buffer.alloc(8);
      pointer.writeBigUInt64LE(address);
      return ref.readPointer(pointer, 0, length);
    },
    struct: (fields) =>
      declareStruct(Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, nativeTypes[field]]))),
  };
}

const nativeTypes: Readonly<Record<NativeField, NativeType>> = {
  u8: {
    size: 1,
    alignment: 1,
    indirection: 1,
    get: (b, o) => b.readUInt8(o),
    set: (b, o, v) => b.writeUInt8(v as number, o),
  },
  u16: {
    size: 2,
    alignment: 2,
    indirection: 1,
    get: (b, o) => b.readUInt16LE(o),
    set: (b, o, v) => b.writeUInt16LE(v as number, o),
  },
  u32: {
    size: 4,
    alignment: 4,
    indirection: 1,
    get: (b, o) => b.readUInt32LE(o),
    set: (b, o, v) => b.writeInt32LE((v as number) | 0, o),
  },
  u64: {
    size: 8,
    alignment: 8,
    indirection: 1,
    get: (b, o) => b.readBigUInt64LE(o),
    set: (b, o, v) => b.writeBigUInt64LE(v as bigint, o),
  },
  name: {
    size: NAME_SIZE,
    alignment: 1,
    indirection: 1,
    get: (b, o) => b.toString("latin1", o, o + NAME_SIZE).replace(/\0.*$/s, ""),
    set: (b, o, v) => b.fill(0, o, o + NAME_SIZE).write((v as string).slice(0, NAME_SIZE - 1), o, "latin1"),
  },
  tag: {
    size: TAG_SIZE,
    alignment: 1,
    indirection: 1,
    get: (b, o) => Uint8Array.from(b.subarray(o, o + TAG_SIZE)),
    set: (b, o, v) => b.set(v as Uint8Array, o),
  },
};
