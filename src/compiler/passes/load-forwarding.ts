/**
 * Leaves out loads of what is known to be in memory: because it was loaded
 * before, or stored before (on the stack), and nothing between can have changed
 * it. A load never moves; it only makes way for an earlier one. A store of what
 * the stack holds there already is left out too.
 */
import { controlFlow, mapOperands, mapTerminator, type ControlFlow } from "../ir/analysis.ts";
import type { Block, IrFunction, IrInstruction, Operation, Value, ValueType } from "../ir/ir.ts";
import { clobbersOf, escapingSlots, mayOverlap, placeOf, type Place } from "../ir/memory.ts";
import type { Definitions } from "../ir/significant-bits.ts";

interface Content {
  readonly place: Place;
  readonly value: Value;
  /** By a store, whose value may be wider than its place; otherwise by a load. */
  readonly stored: boolean;
}

/** By place, type and sign, what is known to be there. */
type State = Map<string, Content>;

const keyOf = ({ space, base, offset, size }: Place, signed: boolean, type: ValueType): string => `${space} ${base} ${offset} ${size} ${signed ? "s" : "u"} ${type}`;

export function forwardLoads(fn: IrFunction): IrFunction {
  const flow = controlFlow(fn);
  const operations: (Operation | undefined)[] = [];
  for (const { instructions } of fn.blocks) {
    for (const { result, operation } of instructions) if (result !== undefined) operations[result.id] = operation;
  }
  const definitions: Definitions = { operation: ({ id }) => operations[id] };
  const escaping = escapingSlots(fn, definitions);

  const forget = (state: State, operation: Operation): void => {
    switch (operation.op) {
      case "store": case "atomic": case "compare-exchange": {
        const place = placeOf(definitions, operation);
        for (const [key, content] of state) if (mayOverlap(place, content.place)) state.delete(key);
        return;
      }
      default: {
        const clobbers = clobbersOf(definitions, operation);
        if (clobbers === undefined) return;
        const { spaces, slots } = clobbers;
        for (const [key, { place: { space, slot } }] of state) {
          const gone = spaces.has(space) || space === "stack" && (slot === undefined || slots.includes(slot) || escaping.has(slot));
          if (gone) state.delete(key);
        }
      }
    }
  };

  const replacements: (Value | undefined)[] = [];
  const replaced = (value: Value): Value => {
    for (let next; (next = replacements[value.id]) !== undefined;) value = next;
    return value;
  };
  const atEnd: State[] = [];
  let changed = false;
  const rewritten = flow.blocks.map((block, position): Block => {
    const state = entryState(flow, position, atEnd, forget);
    const out: IrInstruction[] = [];
    for (const instruction of block.instructions) {
      const operation = mapOperands(instruction.operation, replaced);
      const { result } = instruction;
      if (result !== undefined) operations[result.id] = operation;
      if (operation.op === "store" && operation.space === "stack") {
        const there = state.get(keyOf(placeOf(definitions, operation), false, operation.value.type));
        if (there?.stored === true && there.value.id === operation.value.id) {
          changed = true;
          continue;
        }
      }
      forget(state, operation);
      if (operation.op === "load" && result !== undefined) {
        const place = placeOf(definitions, operation);
        const key = keyOf(place, operation.signed, result.type);
        const known = state.get(key);
        if (known !== undefined) {
          changed = true;
          const { value } = known;
          const bits = operation.size * 8;
          const width = result.type === "i32" ? 32 : 64;
          if (value.type === result.type && (bits === width || !known.stored)) {
            replacements[result.id] = value;
            continue;
          }
          // What was stored may have been wider than its place, or of the other type.
          const made: Operation = bits === 32 && result.type === "i32" ? { op: "truncate", operand: value }
            : { op: "extend", bits: bits as 8 | 16 | 32, signed: operation.signed, operand: value };
          operations[result.id] = made;
          out.push({ ...instruction, operation: made });
          continue;
        }
        state.set(key, { place, value: result, stored: false });
      } else if (operation.op === "store" && operation.space === "stack") {
        const place = placeOf(definitions, operation);
        const { value } = operation;
        // A pointer is only ever read back whole.
        const types: readonly ValueType[] = value.type === "ptr" ? ["ptr"] : operation.size === 8 ? ["i64"] : ["i32", "i64"];
        for (const type of types) {
          state.set(keyOf(place, false, type), { place, value, stored: true });
          if (operation.size < 8 && value.type !== "ptr") state.set(keyOf(place, true, type), { place, value, stored: true });
        }
      }
      out.push(operation === instruction.operation ? instruction : { ...instruction, operation });
    }
    atEnd[position] = state;
    return { ...block, instructions: out, terminator: mapTerminator(block.terminator, replaced) };
  });
  if (!changed) return fn;
  return {
    ...fn,
    blocks: rewritten.map((block) => ({
      ...block,
      instructions: block.instructions.map((instruction) => {
        const operation = mapOperands(instruction.operation, replaced);
        return operation === instruction.operation ? instruction : { ...instruction, operation };
      }),
      terminator: mapTerminator(block.terminator, replaced),
    })),
  };
}

/** What every way into a block agrees on. At a loop's head: what nothing in the loop changes. */
function entryState(flow: ControlFlow, position: number, atEnd: readonly State[], forget: (state: State, operation: Operation) => void): State {
  const [first, ...others] = flow.predecessors[position]!.filter((from) => from < position);
  if (first === undefined) return new Map();
  const state: State = new Map(atEnd[first]);
  for (const other of others) {
    for (const [key, { value }] of state) if (atEnd[other]!.get(key)?.value.id !== value.id) state.delete(key);
  }
  // In reverse postorder a loop's blocks come behind its head; how far, its ways back tell, and those of the loops in it.
  let last = Math.max(...flow.predecessors[position]!);
  if (last < position) return state;
  for (let inside = position; inside <= last; inside++) {
    for (const from of flow.predecessors[inside]!) last = Math.max(last, from);
    for (const { operation } of flow.blocks[inside]!.instructions) forget(state, operation);
  }
  return state;
}
