/** Effects of operations on memory, for passes. */
import { forEachOperand, targetsOf } from "./analysis.ts";
import type { AccessSize, IrFunction, Operation, Space, Value } from "./ir.ts";
import type { Definitions } from "./significant-bits.ts";

/** A place in memory: a base pointer and an offset from it. */
export interface Place {
  readonly space: Space;
  /**
   * A map's name for its first value; a negative number for a stack slot, whichever value holds its address; else a
   * value's id.
   */
  readonly base: string | number;
  /** The slot, where the place is known to be in one. */
  readonly slot?: number;
  readonly offset: number;
  readonly size: AccessSize;
}

/** The place of an access, constant additions followed. */
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

/** Whether the base is a known piece of memory that no other named base overlaps. */
export const isNamed = (base: Place["base"]): boolean => typeof base === "string" || base < 0;

/** Whether a write to one place may change the other. */
export function mayOverlap(a: Place, b: Place): boolean {
  if (a.space !== b.space) return false;
  if (a.base !== b.base) return !(isNamed(a.base) && isNamed(b.base));
  return a.offset < b.offset + b.size && b.offset < a.offset + a.size;
}

/** The stack slot that an address points into, if known. */
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

/** Memory that a call or a piece of assembly may write. Every call may also write to escaping slots. */
export interface Clobbers {
  /** `stack`: every slot. */
  readonly spaces: ReadonlySet<Space>;
  /** Stack slots whose address it receives for writing. */
  readonly slots: readonly number[];
}

const allButStack: ReadonlySet<Space> = new Set(["context", "map", "packet", "kernel"]);
/**
 * Other programs may write a map at any time: a repeated read of it wants the
 * current value.
 */
const shared: readonly Space[] = ["map"];

/** Undefined for operations other than calls, and for pure ones. */
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
    // A slot whose address they receive escapes.
    case "call-function":
    case "call-kernel":
    case "assembly":
      return { spaces: allButStack, slots: [] };
    default:
      return undefined;
  }
}

/**
 * Stack slots whose uses cannot all be followed: their address is stored, passed
 * to functions of the program, or carried through block parameters.
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
        // slotOf follows additions, so the result of a `binary` is known.
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
