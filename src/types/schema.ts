/**
 * A schema says how a value lies in memory, and what it looks like in
 * TypeScript. It is itself a value, so that one declaration serves the BPF
 * program, the user-space map handle and the BTF.
 *
 * Sizes, alignments and offsets are in bytes. Values lie in the byte order of
 * the machine, which is little-endian for every target of this project, unless
 * their kind says big-endian.
 */
export interface Schema<T = unknown> {
  readonly kind: "scalar" | "struct" | "array" | "void";
  readonly size: number;
  readonly align: number;
  /** The value at `offset`. */
  read(view: DataView, offset: number): T;
  /**
   * Writes a value, padding included, at `offset`.
   * @throws {SchemaError} where the value does not fit; nothing of it is usable then.
   */
  write(view: DataView, offset: number, value: T): void;
  /** How a declaration would name it: `u32`, `be16[4]`, `struct lb4_key`. */
  toString(): string;
}

/** The TypeScript form of a schema's values. */
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

/** Runs `write`, and names the part of the whole that its error is about. */
export function writePart(part: string | number, write: () => void): void {
  try {
    write();
  } catch (error) {
    throw error instanceof SchemaError ? error.within(part) : error;
  }
}

/** The bytes of a value: exactly `schema.size` of them. */
export function encodeValue<T>(schema: Schema<T>, value: T): Uint8Array {
  const bytes = new Uint8Array(schema.size);
  schema.write(new DataView(bytes.buffer), 0, value);
  return bytes;
}

/** The value that `bytes` holds from `offset` on. */
export function decodeValue<T>(schema: Schema<T>, bytes: Uint8Array, offset = 0): T {
  if (bytes.length < offset + schema.size) {
    throw new SchemaError(`${bytes.length - offset} bytes, but ${schema} takes ${schema.size}`);
  }
  return schema.read(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), offset);
}
