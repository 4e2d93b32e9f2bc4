/** What operations do to memory, as far as passes have to know. */
import { forEachOperand, targetsOf } from "./analysis.ts";
import type { AccessSize, IrFunction, Operation, Space, Value } from "./ir.ts";
import type { Definitions } from "./significant-bits.ts";

/** A place in memory: which base pointer, how far from it. */
export interface Place {
  readonly space: Space;
  /** A map's name for its first value; a negative number for a stack slot, whichever value holds its address; otherwise a value's id. */
  readonly base: string | number;
  /** The slot, where it is certain to be in one. */
  readonly slot?: number;
  readonly offset: number;
  readonly size: AccessSize;
}

/** Where an access goes. Constant additions are looked through. */
export function placeOf(
  definitions: Definitions,
  access: { space: Space; address: Value; offset: number; size: AccessSize },
): Place {
  let { address, offset } = access;
  for (;;) {
    const operation = definitions.operation(address);
    if (operation?.op === "stack")
      return { space: "stack", base: -1 - operation.slot.id, slot: operation.slot.id, offset, size: access.size };
    if (operation?.op === "map-value")
      return { space: access.space, base: operation.map.name, offset: offset + operation.offset, size: access.size };
    if (operation?.op !== "binary" || operation.left.type !== "ptr") break;
    const right = definitions.operation(operation.right);
    if (right?.op !== "constant") break;
    const by = Number(BigInt.asIntN(64, right.value));
    offset += operation.operator === "sub" ? -by : by;
    address = operation.left;
  }
  return { space: access.space, base: address.id, offset, size: access.size };
}

/** Whether a base names one piece of memory for sure, apart from every other named one. */
export const isNamed = (base: Place["base"]): boolean => typeof base === "string" || base < 0;

/** Whether a write to one place may change the other. */
export function mayOverlap(a: Place, b: Place): boolean {
  if (a.space !== b.space) return false;
  if (a.base !== b.base) return !(isNamed(a.base) && isNamed(b.base));
  return a.offset < b.offset + b.size && b.offset < a.offset + a.size;
}

/** The stack slot that an address points into, if that is certain. */
export function slotOf(definitions: Definitions, address: Value): number | undefined {
  for (
    let operation = definitions.operation(address);
    operation !== undefined;
    operation = definitions.operation(operation.left)
  ) {
    if (operation.op === "stack") return operation.slot.id;
    if (operation.op !== "binary" || operation.left.type !== "ptr") return undefined;
  }
  return undefined;
}

/** What a call or a piece of assembly may write. Beyond that, every call may write what escapes. */
export interface Clobbers {
  /** `stack`: every slot. */
  readonly spaces: ReadonlySet<Space>;
  /** Stack slots whose address it is given, other than for reading. */
  readonly slots: readonly number[];
}

const allButStack: ReadonlySet<Space> = new Set(["context", "map", "packet", "kernel"]);
/**
 * Others may write a map at any time: whoever reads it again after a call
 * wants what is there then.
 */
const shared: readonly Space[] = ["map"];

/** Nothing for an operation that is no call, or a pure one. */
export function clobbersOf(definitions: Definitions, o: Operation): Clobbers | undefined {
  switch (o.op) {
    case "call": {
      if (o.effects.pure === true) return undefined;
      const slots: number[] = [];
      o.arguments.forEach((value, i) => {
        if (value.type !== "ptr" || o.effects.reads?.includes(i) === true) return;
        const slot = slotOf(definitions, value);
        if (slot !== undefined) slots.push(slot);
      });
      return { spaces: new Set<Space>([...shared, ...(o.effects.clobbers ?? [])]), slots };
    }
    // A slot whose address they are given escapes.
    case "call-function":
    case "call-kernel":
    case "assembly":
      return { spaces: allButStack, slots: [] };
    default:
      return undefined;
  }
}

/**
 * The stack slots that are used in ways that can't be followed: not only
 * accessed directly or handed to helpers, but stored, passed to functions of
 * the program, or carried through block parameters.
 */
export function escapingSlots(fn: IrFunction, definitions: Definitions): ReadonlySet<number> {
  const escaping = new Set<number>();
  const escape = (value: Value): void => {
    if (value.type !== "ptr") return;
    const slot = slotOf(definitions, value);
    if (slot !== undefined) escaping.add(slot);
  };
  for (const { instructions, terminator } of fn.blocks) {
    for (const { operation } of instructions) {
      switch (operation.op) {
        // slotOf looks through additions, so what comes of a `binary` is followed.
        case "load":
        case "call":
        case "binary":
        case "compare":
          break;
        case "store":
        case "atomic":
          escape(operation.value);
          break;
        default:
          forEachOperand(operation, escape);
      }
    }
    if (terminator.op === "return") escape(terminator.value);
    else for (const target of targetsOf(terminator)) target.arguments.forEach(escape);
  }
  return escaping;
}
