/** Support for families of helpers. */
import { helperNumber, type HelperName } from "../../asm/index.ts";
import type { Effects, Value, ValueType } from "../../compiler/index.ts";
import { schemaDifference, type MapDefinition, type Schema } from "../../types/index.ts";
import type { Emitter } from "../emitter.ts";
import { pointerValue } from "../kernel-pointer.ts";
import { addressOf, memoryOf, stackPlace, writeInit } from "../reference.ts";
import { operandValue, ScalarValue } from "../scalar.ts";

/** Writes the call of one helper. */
export type Implementation = (emitter: Emitter, ...args: never[]) => unknown;

/** The implementations of a family's methods. */
export type Implementations<Family> = { readonly [M in keyof Family]: Implementation };

/** The result may be dropped when nothing uses it; each call may give another. */
export const REMOVABLE: Effects = { removable: true };
/** The result depends on the arguments alone. */
export const PURE: Effects = { pure: true };

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

/** A helper that takes at most the context and returns a number. */
export function number(name: HelperName, kind: "u32" | "u64", effects: Effects): Implementation {
  return (emitter: Emitter, context?: unknown) => {
    const args = context === undefined ? [] : [pointerValue(emitter, context)];
    const result = callHelper(emitter, name, args, effects);
    const value = kind === "u32" ? emitter.emit({ op: "truncate", operand: result }, "i32") : result;
    return new ScalarValue(emitter, kind, value);
  };
}

/** The address of a map, as helpers take it. */
export const mapAddress = (emitter: Emitter, map: MapDefinition): Value => emitter.emit({ op: "map", map }, "ptr");

/** A number of 32 bits in a whole register, as helpers take it. */
export const wide = (emitter: Emitter, kind: "u32" | "i32", operand: unknown): Value =>
  emitter.emit(
    { op: "extend", bits: 32, signed: kind === "i32", operand: operandValue(emitter, kind, operand) },
    "i64",
  );

/** The address of a value for a helper to read: where it is in memory already, or a copy on the stack. */
export function valueAddress(emitter: Emitter, schema: Schema, init: unknown): Value {
  const known = memoryOf(init);
  if (known !== undefined && known.place.space !== "context" && schemaDifference(known.schema, schema) === undefined)
    return addressOf(emitter, known.place);
  const place = stackPlace(emitter, schema);
  writeInit(emitter, schema, place, init);
  return place.address;
}
