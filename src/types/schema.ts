/**
 * The layout of a value in memory and its form in TypeScript. A schema is a
 * value: one declaration serves the BPF program, the map's handle in user space
 * and the BTF.
 *
 * Sizes, alignments and offsets are in bytes. Values have the machine's byte
 * order, little-endian on every target of this project, unless their kind says
 * big-endian.
 */
export interface Schema<T = unknown> {
  readonly kind: "scalar" | "struct" | "array" | "void";
  readonly size: number;
  readonly align: number;
  /** The value at `offset`. */
  read(view: DataView, offset: number): T;
  /**
   * Writes a value, padding included, at `offset`.
   * @throws {SchemaError} where the value does not fit; the bytes are undefined then
   */
  write(view: DataView, offset: number, value: T): void;
  /** The name in a declaration: `u32`, `be16[4]`, `struct lb4_key`. */
  toString(): string;
}

/**
 * The TypeScript form of a schema's values.
 *
 * @example
 * ```ts
 * import { be16, ipv4, struct, type Infer } from "tsbpf";
 *
 * const Address = struct("address", { ip: ipv4, port: be16 });
 * const local: Infer<typeof Address> = { ip: "127.0.0.1", port: 8080 };
 * ```
 */
export type Infer<S> = S extends Schema<infer T> ? T : never;

/** A value that does not fit its schema; the message names the field. */
export class SchemaError extends RangeError {
  override readonly name = "SchemaError";
  /** From the outermost struct inwards: `["slots", 3, "port"]`. */
  readonly path: readonly (string | number)[];
  readonly reason: string;

  constructor(reason: string, path: readonly (string | number)[] = []) {
    super(path.length === 0 ? reason : `${pathText(path)}: ${reason}`);
    this.reason = reason;
    this.path = path;
  }

  /** The same error, seen from the struct or array around it. */
  within(part: string | number): SchemaError {
    return new SchemaError(this.reason, [part, ...this.path]);
  }
}

function pathText(path: readonly (string | number)[]): string {
  return path.map((part, i) => (typeof part === "number" ? `[${part}]` : i === 0 ? part : `.${part}`)).join("");
}

/** Runs `write` and adds the name of the part to its error. */
export function writePart(part: string | number, write: () => void): void {
  try {
    write();
  } catch (error) {
    throw error instanceof SchemaError ? error.within(part) : error;
  }
}

/**
 * Encodes a value into `schema.size` bytes.
 *
 * @throws {SchemaError} where the value does not fit
 * @example
 * ```ts
 * import { be16, encodeValue } from "tsbpf";
 *
 * encodeValue(be16, 80); // Uint8Array [0, 80]
 * ```
 */
export function encodeValue<T>(schema: Schema<T>, value: T): Uint8Array {
  const bytes = new Uint8Array(schema.size);
  schema.write(new DataView(bytes.buffer), 0, value);
  return bytes;
}

/**
 * Decodes the value that starts at byte `offset`.
 *
 * @throws {SchemaError} where `bytes` is too short
 * @example
 * ```ts
 * import { be16, decodeValue } from "tsbpf";
 *
 * decodeValue(be16, Uint8Array.of(0, 80)); // 80
 * ```
 */
export function decodeValue<T>(schema: Schema<T>, bytes: Uint8Array, offset = 0): T {
  if (bytes.length < offset + schema.size) {
    throw new SchemaError(`${bytes.length - offset} bytes, but ${schema} takes ${schema.size}`);
  }
  return schema.read(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), offset);
}
