/**
 * Removes loads of known memory: loaded before, or stored before (on the stack),
 * and unchanged since. Loads never move; a load is only replaced by an earlier one.
 * A store of the value that the stack already holds is removed too.
 */
import { controlFlow, mapOperands, mapTerminator, valueCount, type ControlFlow, replacedBy } from "../ir/analysis.ts";
import type { Block, IrFunction, IrInstruction, Operation, Space, Value, ValueType } from "../ir/ir.ts";
import { clobbersOf, escapingSlots, mayOverlap, placeOf, type Place } from "../ir/memory.ts";
import type { Definitions } from "../ir/significant-bits.ts";
import { deadCode } from "./dead-code.ts";
import type { Pass } from "./pass.ts";

interface Content {
  readonly value: Value;
  /** By a store, whose value may be wider than its place; else by a load. */
  readonly stored: boolean;
}

/** By location, its known content. */
type State = (Content | undefined)[];

/** Numbers locations: a place, read as a number of a type and sign. */
class Locations {
  /** By location. */
  readonly places: Place[] = [];
  readonly #numbers = new Map<Place["base"], Map<number, number>>();
  /** By location, the overlapping ones among the first `upTo`. */
  readonly #overlapping: { upTo: number; readonly locations: number[] }[] = [];

  number(place: Place, signed: boolean, type: ValueType): number {
    const { space, base, offset, size } = place;
    let ofBase = this.#numbers.get(base);
    if (ofBase === undefined) this.#numbers.set(base, (ofBase = new Map<number, number>()));
    const key = offset * 1024 + ((spaces[space] << 7) | (size << 3) | (types[type] << 1) | (signed ? 1 : 0));
    let location = ofBase.get(key);
    if (location === undefined) ofBase.set(key, (location = this.places.push(place) - 1));
    return location;
  }

  /** The locations that a write to this one may change. */
  overlapping(location: number): readonly number[] {
    const { places } = this;
    const known = (this.#overlapping[location] ??= { upTo: 0, locations: [] });
    for (; known.upTo < places.length; known.upTo++) {
      if (mayOverlap(places[location]!, places[known.upTo]!)) known.locations.push(known.upTo);
    }
    return known.locations;
  }
}

const spaces: Record<Space, number> = { context: 0, stack: 1, map: 2, packet: 3, kernel: 4 };
const types: Record<ValueType, number> = { i32: 0, i64: 1, ptr: 2 };

export const loadForwarding: Pass = { name: "load forwarding", unmovedBy: [deadCode], run: forwardLoads };

export function forwardLoads(fn: IrFunction): IrFunction {
  const flow = controlFlow(fn);
  const operations: (Operation | undefined)[] = new Array(valueCount(fn)).fill(undefined);
  for (const { instructions } of fn.blocks) {
    for (const { result, operation } of instructions) if (result !== undefined) operations[result.id] = operation;
  }
  const definitions: Definitions = { operation: ({ id }) => operations[id] };
  const escaping = escapingSlots(fn, definitions);
  const locations = new Locations();
  const locationOf = (store: Extract<Operation, { value: Value; address: Value }>): number =>
    locations.number(placeOf(definitions, store), false, store.value.type);

  const forget = (state: State, operation: Operation): void => {
    switch (operation.op) {
      case "store":
      case "atomic":
      case "compare-exchange":
        for (const location of locations.overlapping(locationOf(operation)))
          if (location < state.length) state[location] = undefined;
        return;
      case "call":
      case "call-function":
      case "call-kernel":
      case "assembly": {
        const clobbers = clobbersOf(definitions, operation);
        if (clobbers === undefined) return;
        for (let location = 0; location < state.length; location++) {
          if (state[location] === undefined) continue;
          const { space, slot } = locations.places[location]!;
          const gone =
            clobbers.spaces.has(space) ||
            (space === "stack" && (slot === undefined || clobbers.slots.includes(slot) || escaping.has(slot)));
          if (gone) state[location] = undefined;
        }
        return;
      }
      default: // other operations do not write to memory
    }
  };

  const replacements: (Value | undefined)[] = [];
  const replaced = replacedBy(replacements);
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
        const there = state[locationOf(operation)];
        if (there?.stored === true && there.value.id === operation.value.id) {
          changed = true;
          continue;
        }
      }
      forget(state, operation);
      if (operation.op === "load" && result !== undefined) {
        const place = placeOf(definitions, operation);
        const location = locations.number(place, operation.signed, result.type);
        const known = state[location];
        if (known !== undefined) {
          changed = true;
          const { value } = known;
          const bits = operation.size * 8;
          const width = result.type === "i32" ? 32 : 64;
          if (value.type === result.type && (bits === width || !known.stored)) {
            replacements[result.id] = value;
            continue;
          }
          // The stored value may be wider than its place, or of the other type.
          const made: Operation =
            bits === 32 && result.type === "i32"
              ? { op: "truncate", operand: value }
              : { op: "extend", bits: bits as 8 | 16 | 32, signed: operation.signed, operand: value };
          operations[result.id] = made;
          out.push({ ...instruction, operation: made });
          continue;
        }
        set(state, location, { value: result, stored: false });
      } else if (operation.op === "store" && operation.space === "stack") {
        const place = placeOf(definitions, operation);
        const { value } = operation;
        // Pointers are only read back whole.
        const types: readonly ValueType[] =
          value.type === "ptr" ? ["ptr"] : operation.size === 8 ? ["i64"] : ["i32", "i64"];
        for (const type of types) {
          set(state, locations.number(place, false, type), { value, stored: true });
          if (operation.size < 8 && value.type !== "ptr")
            set(state, locations.number(place, true, type), { value, stored: true });
        }
      }
      out.push(operation === instruction.operation ? instruction : { ...instruction, operation });
    }
    atEnd[position] = state;
    return { ...block, instructions: out, terminator: mapTerminator(block.terminator, replaced) };
  });
  return changed ? { ...fn, blocks: rewritten } : fn;
}

/** Without holes, which make arrays slow. */
function set(state: State, location: number, content: Content): void {
  while (state.length < location) state.push(undefined);
  state[location] = content;
}

/** The state that all predecessors agree on; at a loop's head, what nothing in the loop changes. */
function entryState(
  flow: ControlFlow,
  position: number,
  atEnd: readonly State[],
  forget: (state: State, operation: Operation) => void,
): State {
  const [first, ...others] = flow.predecessors[position]!.filter((from) => from < position);
  if (first === undefined) return [];
  const state = atEnd[first]!.slice();
  for (const other of others) {
    const there = atEnd[other]!;
    for (let location = 0; location < state.length; location++) {
      const content = state[location];
      if (content !== undefined && there[location]?.value.id !== content.value.id) state[location] = undefined;
    }
  }
  // In reverse postorder a loop's blocks follow its head. Its back edges, and those of inner loops, give its last
  // block.
  let last = Math.max(...flow.predecessors[position]!);
  if (last < position) return state;
  for (let inside = position; inside <= last; inside++) {
    for (const from of flow.predecessors[inside]!) last = Math.max(last, from);
    for (const { operation } of flow.blocks[inside]!.instructions) forget(state, operation);
  }
  return state;
}
