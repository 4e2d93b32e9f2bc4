/** Helpers that no family of the builder has, declared by the program's author. */
import {
  helperFacts,
  type ArgumentKind,
  type HelperFacts,
  type HelperName,
  type HelperTable,
  type ReturnKind,
} from "../asm/index.ts";
import type { Space, Value } from "../compiler/index.ts";
import type { MapDefinition, Mistake, ScalarKind, Schema } from "../types/index.ts";
import type { CoreBuilder } from "./builder.ts";
import { valueType, type Emitter } from "./emitter.ts";
import { BuildError } from "./errors.ts";
import { BuilderImplementation } from "./implementation.ts";
import { pointerValue, type AnyContext, type KernelPointer, type Socket } from "./kernel-pointer.ts";
import { addressOf, memoryOf, type InMemory } from "./reference.ts";
import { operandValue, ScalarValue, type Operand, type Scalar } from "./scalar.ts";
import { callHelper, mapAddress } from "./helpers/call.ts";

/** The TypeScript type of each kind of argument. */
interface Passed {
  u16: Operand<"u16">;
  u32: Operand<"u32">;
  u64: Operand<"u64">;
  i32: Operand<"i32">;
  i64: Operand<"i64">;
  be16: Operand<"be16">;
  context: AnyContext;
  map: MapDefinition;
  memory: InMemory<Schema>;
  "struct bpf_sock": Socket;
  function: Mistake<"a function cannot be passed from here: use b.assembly()">;
  more: Mistake<"a helper with any number of arguments is called by b.assembly()">;
}

type ArgumentOf<K> = K extends keyof Passed ? Passed[K] : KernelPointer<string> | InMemory<Schema>;

type ArgumentsOf<A extends readonly ArgumentKind[]> = { readonly [I in keyof A]: ArgumentOf<A[I]> };

interface Returned {
  u16: Scalar<"u16">;
  u32: Scalar<"u32">;
  u64: Scalar<"u64">;
  i32: Scalar<"i32">;
  i64: Scalar<"i64">;
  be16: Scalar<"be16">;
  void: void;
}

type ResultOf<K> = K extends keyof Returned
  ? Returned[K]
  : Mistake<"this helper returns an address, which has no schema: use b.assembly()">;

/** The kinds of a helper's arguments and result. */
export type Prototype = Pick<HelperFacts, "arguments" | "returns">;

/** A declared helper: takes the builder, then the helper's own arguments. */
export type HelperFunction<P extends Prototype> = (
  b: CoreBuilder<never>,
  ...args: ArgumentsOf<P["arguments"]>
) => ResultOf<P["returns"]>;

/** Memory that a helper of unknown conduct may write. */
const ANYWHERE: readonly Space[] = ["map", "packet", "context", "kernel"];

/**
 * Declares a helper function of the kernel that the builder has no method for.
 * Arguments and result are those of the kernel's documentation (bpf-helpers(7));
 * `prototype` replaces them. Numbers of documented type `int` and `long` are
 * `i32` and `i64`; `memory` is a value on the stack or in a map. The verifier
 * decides whether the hook may call the helper.
 *
 * @throws {BuildError} when the helper is called with an argument of another kind
 * @example
 * ```ts
 * import { cgroup, helper } from "tsbpf";
 *
 * const getRouteRealm = helper("bpf_get_route_realm");
 *
 * const dropRealm7 = cgroup.egress("drop_realm_7", (b, ctx) => {
 *   b.if(getRouteRealm(b, ctx).eq(7), () => b.return(0));
 *   return 1;
 * });
 * ```
 */
export const helper = declare as unknown as {
  <N extends HelperName>(name: N): HelperFunction<HelperTable[N]>;
  <const P extends Prototype>(name: HelperName, prototype: P): HelperFunction<P>;
};

function declare(name: HelperName, prototype: Prototype = helperFacts(name)) {
  const call = (b: unknown, ...args: readonly unknown[]): unknown => {
    if (!(b instanceof BuilderImplementation)) throw new BuildError(`${name} takes the builder as its first argument`);
    const { emitter } = b;
    emitter.mark(call);
    if (args.length !== prototype.arguments.length)
      throw new BuildError(
        `${name} takes ${prototype.arguments.length} arguments after the builder, not ${args.length}`,
        emitter.source,
      );
    const values = prototype.arguments.map((kind, i) => argumentValue(emitter, name, kind, args[i]));
    return resultOf(emitter, name, prototype.returns, callHelper(emitter, name, values, { clobbers: ANYWHERE }));
  };
  return call;
}

function argumentValue(emitter: Emitter, name: HelperName, kind: ArgumentKind, given: unknown): Value {
  switch (kind) {
    case "context":
      return pointerValue(emitter, given);
    case "map":
      return mapAddress(emitter, given as MapDefinition);
    case "function":
    case "more":
      throw new BuildError(`${name} takes an argument of kind ${kind}: use b.assembly()`, emitter.source);
    case "u16":
    case "u32":
    case "u64":
    case "i32":
    case "i64":
    case "be16": {
      const operand = operandValue(emitter, kind, given);
      return valueType(kind) === "i64"
        ? operand
        : emitter.emit({ op: "extend", bits: 32, signed: kind === "i32", operand }, "i64");
    }
    default: {
      const memory = memoryOf(given);
      return memory === undefined ? pointerValue(emitter, given) : addressOf(emitter, memory.place);
    }
  }
}

function resultOf(emitter: Emitter, name: HelperName, kind: ReturnKind, result: Value): ScalarValue | undefined {
  if (kind === "void") return undefined;
  if (kind === "memory" || kind.startsWith("struct "))
    throw new BuildError(`${name} returns an address, which has no schema: use b.assembly()`, emitter.source);
  const scalar = kind as ScalarKind;
  return new ScalarValue(
    emitter,
    scalar,
    valueType(scalar) === "i64" ? result : emitter.emit({ op: "truncate", operand: result }, "i32"),
  );
}
