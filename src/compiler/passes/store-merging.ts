/**
 * Joins stores of constants to neighbouring bytes into wider ones, so structs are
 * zeroed and filled in as few steps as their alignment allows. A narrow number
 * beside zeroes becomes one wide number. Applies to the stack and to map values;
 * context fields stay as they are, and packets have no known alignment.
 */
import { definitionsOf, valueCount } from "../ir/analysis.ts";
import type { AccessSize, Block, IrFunction, IrInstruction, Operation, Value } from "../ir/ir.ts";
import { escapingSlots, isNamed, mayOverlap, placeOf, slotOf, type Place } from "../ir/memory.ts";
import { SignificantBits, type Definitions } from "../ir/significant-bits.ts";
import type { Pass } from "./pass.ts";

type Store = Extract<Operation, { op: "store" }>;

interface PlacedStore {
  /** The instruction's index in its block. */
  readonly index: number;
  readonly operation: Store;
  readonly place: Place;
}

/** Stores relative to one base, with no read of them in between. */
type Group = PlacedStore[];

export const storeMerging: Pass = { name: "store merging", run: mergeStores };

export function mergeStores(fn: IrFunction): IrFunction {
  return new StoreMerging(fn).run();
}

class StoreMerging {
  private readonly fn: IrFunction;
  private readonly definitions: Definitions;
  private readonly escaping: ReadonlySet<number>;
  private readonly bits: SignificantBits;
  private nextId: number;
  private changed = false;

  constructor(fn: IrFunction) {
    const found = definitionsOf(fn);
    this.fn = fn;
    this.definitions = { operation: ({ id }) => found[id]?.operation };
    this.escaping = escapingSlots(fn, this.definitions);
    this.bits = new SignificantBits(fn, this.definitions);
    this.nextId = valueCount(fn);
  }

  run(): IrFunction {
    const blocks = this.fn.blocks.map((block) => this.mergeBlock(block));
    return this.changed ? { ...this.fn, blocks } : this.fn;
  }

  private mergeBlock(block: Block): Block {
    const open = new Map<Place["base"], Group>();
    /** By index of a group's last store, the instructions that replace the group. */
    const instead = new Map<number, IrInstruction[]>();
    const gone = new Set<number>();
    const close = (applies: (group: Group) => boolean): void => {
      for (const [base, group] of open) {
        if (!applies(group)) continue;
        open.delete(base);
        const better = this.rewrite(group, block);
        if (better === undefined) continue;
        this.changed = true;
        for (const { index } of group) gone.add(index);
        instead.set(group[group.length - 1]!.index, better);
      }
    };
    const overlapping =
      (place: Place) =>
      (group: Group): boolean =>
        group.some((store) => mayOverlap(store.place, place));
    block.instructions.forEach(({ operation }, index) => {
      switch (operation.op) {
        case "store": {
          if (operation.space !== "stack" && operation.space !== "map") return;
          const place = placeOf(this.definitions, operation);
          close(overlapping(place));
          if (operation.space === "stack" && (place.slot === undefined || this.escaping.has(place.slot))) return;
          const group = open.get(place.base);
          if (group === undefined) open.set(place.base, [{ index, operation, place }]);
          else group.push({ index, operation, place });
          return;
        }
        case "load":
        case "atomic":
        case "compare-exchange":
          close(overlapping(placeOf(this.definitions, operation)));
          return;
        case "call": {
          if (operation.effects.pure === true) return;
          const slots = operation.arguments.map((value) =>
            value.type === "ptr" ? slotOf(this.definitions, value) : undefined,
          );
          close(([first]) => first!.place.space === "map" || slots.includes(first!.place.slot));
          return;
        }
        case "call-function":
        case "call-kernel":
        case "assembly":
          close(([first]) => first!.place.space === "map");
          return;
        default:
          return;
      }
    });
    close(() => true);
    if (gone.size === 0) return block;
    return {
      ...block,
      instructions: block.instructions.flatMap(
        (instruction, index) => instead.get(index) ?? (gone.has(index) ? [] : [instruction]),
      ),
    };
  }

  private constantOf(value: Value): bigint | undefined {
    const operation = this.definitions.operation(value);
    return operation?.op === "constant" ? operation.value : undefined;
  }

  /** The known alignment, in bytes, of offsets from the group's base. */
  private alignment(group: Group): number {
    const { space, base } = group[0]!.place;
    // Slots of 8 bytes and more are laid out so; the kernel aligns every map value.
    if (space === "stack" || typeof base === "string" || isNamed(base)) return 8;
    const origin = this.definitions.operation({ id: base, type: "ptr" });
    if (origin?.op === "call") return 8;
    // Elsewhere the widest access implies it.
    return group.reduce((most, { place: { offset, size } }) => (offset % size === 0 ? Math.max(most, size) : most), 1);
  }

  /** Better stores for a group, if there are any. */
  private rewrite(group: Group, block: Block): IrInstruction[] | undefined {
    if (group.length < 2) return undefined;
    const alignment = this.alignment(group);
    const origin = Math.floor(Math.min(...group.map(({ place }) => place.offset)) / 8) * 8;
    const end = Math.max(...group.map(({ place }) => place.offset + place.size));
    /** By byte from the origin: a constant byte, or undefined. */
    const bytes: (number | undefined)[] = new Array(end - origin).fill(undefined);
    const others: { offset: number; size: AccessSize; readonly value: Value; readonly index: number }[] = [];
    for (const {
      index,
      operation: { value, size },
      place,
    } of group) {
      const offset = place.offset - origin;
      const constant = this.constantOf(value);
      if (constant === undefined) others.push({ offset, size, value, index });
      else for (let i = 0; i < size; i++) bytes[offset + i] = Number((constant >> BigInt(8 * i)) & 0xffn);
    }
    // A number followed by zeroes takes them in.
    for (const store of others) {
      while (
        store.size * 2 <= alignment &&
        this.bits.of(store.value) <= store.size * 8 &&
        store.offset % (store.size * 2) === 0 &&
        store.value.type !== "ptr"
      ) {
        const above = bytes.slice(store.offset + store.size, store.offset + store.size * 2);
        if (above.length < store.size || above.some((byte) => byte !== 0)) break;
        bytes.fill(undefined, store.offset + store.size, store.offset + store.size * 2);
        store.size = (store.size * 2) as AccessSize;
      }
    }
    const constants = coverage(bytes, alignment);
    if (constants.length + others.length >= group.length) return undefined;
    const first = group[0]!;
    const last = block.instructions[group[group.length - 1]!.index]!;
    const out: IrInstruction[] = [];
    const push = (operation: Operation, source: IrInstruction["source"], result?: Value): void => {
      out.push({ ...(result !== undefined && { result }), operation, ...(source !== undefined && { source }) });
    };
    const store = (offset: number, size: AccessSize, value: Value, source: IrInstruction["source"]): void =>
      push(
        {
          op: "store",
          size,
          space: first.place.space,
          address: first.operation.address,
          offset: first.operation.offset + origin + offset - first.place.offset,
          value,
        },
        source,
      );
    for (const { offset, size, value, index } of others) {
      const { source } = block.instructions[index]!;
      if (size === 8 && value.type === "i32") {
        const wide: Value = { id: this.nextId++, type: "i64" };
        push({ op: "extend", bits: 32, signed: false, operand: value }, source, wide);
        store(offset, size, wide, source);
      } else {
        store(offset, size, value, source);
      }
    }
    for (const { offset, size, value } of constants) {
      const made: Value = { id: this.nextId++, type: size === 8 ? "i64" : "i32" };
      push({ op: "constant", value }, undefined, made);
      store(offset, size, made, last.source);
    }
    return out;
  }
}

/** The fewest aligned stores that set these bytes, each with a value that fits an immediate. */
function coverage(
  bytes: readonly (number | undefined)[],
  alignment: number,
): { offset: number; size: AccessSize; value: bigint }[] {
  const stores: { offset: number; size: AccessSize; value: bigint }[] = [];
  for (let offset = 0; offset < bytes.length; ) {
    if (bytes[offset] === undefined) {
      offset++;
      continue;
    }
    for (const size of [8, 4, 2, 1] as const) {
      if (size > alignment || offset % size !== 0 || offset + size > bytes.length) continue;
      const part = bytes.slice(offset, offset + size);
      if (part.includes(undefined)) continue;
      const value = part.reduceRight<bigint>((sum, byte) => (sum << 8n) | BigInt(byte!), 0n);
      // An 8-byte store sign-extends its 32-bit immediate.
      if (size === 8 && BigInt.asIntN(32, value) !== BigInt.asIntN(64, value)) continue;
      stores.push({ offset, size, value: size === 8 ? BigInt.asIntN(64, value) : value });
      offset += size;
      break;
    }
  }
  return stores;
}
