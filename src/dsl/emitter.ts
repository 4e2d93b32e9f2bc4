import type { SourceLocation } from "../asm/index.ts";
import type { AccessSize, Operation, Space, Value, ValueType } from "../compiler/index.ts";
import { scalarShape, type ScalarKind } from "../types/index.ts";
import { BuildError } from "./errors.ts";
import { captureSource } from "./source.ts";
import type { SsaBuilder } from "./ssa.ts";
import { checkReachable, checkUsage } from "./usage/check.ts";

/** A whole function or one branch. A value may be used until its region is closed. */
export interface Region {
  readonly parent: Region | undefined;
  closed: boolean;
}

/** A place in memory: an address in a register, and a constant offset in bytes. */
export interface Place {
  readonly space: Space;
  readonly address: Value;
  readonly offset: number;
  /** The known alignment of the address without the offset: 1, 2, 4 or 8. */
  readonly align: number;
  readonly region: Region;
}

/** Writes instructions for the typed values, with the current region and line of source. */
export class Emitter {
  readonly ssa: SsaBuilder;
  /** The result of the function as an SSA value; whoever writes the function sets it. */
  result: (result: unknown) => Value = () => {
    throw new BuildError("nothing may be returned here", this.#source);
  };
  #region: Region = { parent: undefined, closed: false };
  #source: SourceLocation | undefined;
  readonly #unused = new Set<{
    readonly what: string;
    readonly remedy: string;
    readonly source: SourceLocation | undefined;
  }>();

  constructor(ssa: SsaBuilder) {
    this.ssa = ssa;
  }

  get region(): Region {
    return this.#region;
  }

  /** Runs `body` in a region of its own, closed when it returns. */
  within<T>(body: () => T): T {
    const region = { parent: this.#region, closed: false };
    this.#region = region;
    try {
      return body();
    } finally {
      region.closed = true;
      this.#region = region.parent;
    }
  }

  /** @throws {BuildError} where the value was made in a branch that has ended */
  checkAlive(region: Region, what: string): void {
    if (!region.closed) return;
    throw new BuildError(
      `${what} is used outside of the branch or loop in which it was made; use it there, or keep it in b.variable()`,
      this.#source,
    );
  }

  /**
   * Records the line of the program that called `method`. Every method that
   * programs call starts with this. A call from the DSL itself keeps the line.
   */
  mark(method: Function): void {
    const source = captureSource(method);
    if (source === undefined) return;
    this.#source = source;
    checkUsage(source, method);
    if (this.ssa.current.dead) checkReachable(source);
  }

  /** Returns to the line that called `method`, for code that the DSL adds after the program's own callback. */
  resume(method: Function): void {
    this.#source = captureSource(method) ?? this.#source;
  }

  /**
   * Notes that a value was made that the program must use.
   * @param remedy what to write, for the error of `checkUsed`
   * @returns to be called when it is used
   */
  expectUse(what: string, remedy: string): () => void {
    const entry = { what, remedy, source: this.#source };
    this.#unused.add(entry);
    return () => void this.#unused.delete(entry);
  }

  /** @throws {BuildError} where a value that had to be used was not */
  checkUsed(): void {
    for (const { what, remedy, source } of this.#unused) {
      throw new BuildError(`${what} is never used, so the program does not depend on it: ${remedy}`, source);
    }
  }

  /** The line of the program that the next instructions come from. */
  get source(): SourceLocation | undefined {
    return this.#source;
  }

  emit(operation: Operation, type: ValueType): Value {
    return this.ssa.emit(operation, type, this.#source);
  }

  emitVoid(operation: Operation): void {
    this.ssa.emitVoid(operation, this.#source);
  }

  constant(type: ValueType, value: bigint): Value {
    return this.emit(
      { op: "constant", value: type === "i32" ? BigInt.asUintN(32, value) : BigInt.asIntN(64, value) },
      type,
    );
  }

  load(place: Place, size: AccessSize, type: ValueType, signed = false): Value {
    this.checkAlive(place.region, "this memory");
    return this.emit(
      { op: "load", size, signed, space: place.space, address: place.address, offset: place.offset },
      type,
    );
  }

  store(place: Place, size: AccessSize, value: Value): void {
    this.checkAlive(place.region, "this memory");
    this.emitVoid({ op: "store", size, space: place.space, address: place.address, offset: place.offset, value });
  }
}

/** The place `offset` bytes further on. */
export function placeAt(place: Place, offset: number): Place {
  return offset === 0 ? place : { ...place, offset: place.offset + offset };
}

/** The type that values of a kind have in the intermediate form. */
export function valueType(kind: ScalarKind): "i32" | "i64" {
  return scalarShape(kind).size === 8 ? "i64" : "i32";
}
