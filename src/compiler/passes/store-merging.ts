/**
 * Joins stores of constants to neighbouring bytes of a stack slot into wider
 * ones: structs are zeroed and filled in as few steps as their alignment allows.
 * A narrow number beside zeroes becomes one wide number.
 */
import { definitionsOf, valueCount } from "../ir/analysis.ts";
import type { AccessSize, Block, IrFunction, IrInstruction, Operation, Value } from "../ir/ir.ts";
import { escapingSlots, placeOf, slotOf } from "../ir/memory.ts";
import { SignificantBits, type Definitions } from "../ir/significant-bits.ts";

/** Stores to one slot with nothing between that reads it. */
interface Group {
  readonly slot: number;
  /** Any value that is the slot's address. */
  readonly size: number;
  readonly stores: { readonly index: number; readonly offset: number; readonly size: AccessSize; readonly value: Value }[];
}

export function mergeStores(fn: IrFunction): IrFunction {
  const found = definitionsOf(fn);
  const definitions: Definitions = { operation: ({ id }) => found[id]?.operation };
  const escaping = escapingSlots(fn, definitions);
  const bits = new SignificantBits(fn, definitions);
  const addresses = new Map<number, { address: Value; size: number }>();
  for (const instruction of fn.blocks.flatMap(({ instructions }) => instructions)) {
    if (instruction.operation.op !== "stack" || instruction.result === undefined) continue;
    addresses.set(instruction.operation.slot.id, { address: instruction.result, size: instruction.operation.slot.size });
  }
  let nextId = valueCount(fn);
  let changed = false;

  const mergeBlock = (block: Block): Block => {
    const open = new Map<number, Group>();
    /** By index of the last store of a group: what takes the group's place. */
    const instead = new Map<number, IrInstruction[]>();
    const gone = new Set<number>();
    const close = (slot: number): void => {
      const group = open.get(slot);
      if (group === undefined) return;
      open.delete(slot);
      const better = rewrite(group, block);
      if (better === undefined) return;
      changed = true;
      for (const { index } of group.stores) gone.add(index);
      instead.set(group.stores[group.stores.length - 1]!.index, better);
    };
    const closeAll = (): void => { for (const slot of [...open.keys()]) close(slot); };
    block.instructions.forEach(({ operation }, index) => {
      switch (operation.op) {
        case "store": {
          if (operation.space !== "stack") return;
          const { slot, offset, size } = placeOf(definitions, operation);
          if (slot === undefined) { closeAll(); return; }
          if (escaping.has(slot)) return;
          let group = open.get(slot);
          if (group?.stores.some((other) => offset < other.offset + other.size && other.offset < offset + size)) {
            close(slot);
            group = undefined;
          }
          if (group === undefined) open.set(slot, group = { slot, size: addresses.get(slot)!.size, stores: [] });
          group.stores.push({ index, offset, size, value: operation.value });
          return;
        }
        case "load": case "atomic": case "compare-exchange": {
          if (operation.space !== "stack") return;
          const { slot } = placeOf(definitions, operation);
          if (slot === undefined) closeAll();
          else close(slot);
          return;
        }
        case "call":
          for (const value of operation.arguments) {
            const slot = value.type === "ptr" ? slotOf(definitions, value) : undefined;
            if (slot !== undefined) close(slot);
          }
          return;
        default:
          return;
      }
    });
    closeAll();
    if (gone.size === 0) return block;
    return { ...block, instructions: block.instructions.flatMap((instruction, index) => instead.get(index) ?? (gone.has(index) ? [] : [instruction])) };
  };

  const constantOf = (value: Value): bigint | undefined => {
    const operation = definitions.operation(value);
    return operation?.op === "constant" ? operation.value : undefined;
  };

  /** Better stores for a group, where there are any. */
  const rewrite = (group: Group, block: Block): IrInstruction[] | undefined => {
    if (group.stores.length < 2) return undefined;
    /** By byte of the slot: a constant byte, or nothing. */
    const bytes: (number | undefined)[] = new Array(group.size).fill(undefined);
    const others: { offset: number; size: AccessSize; value: Value; index: number }[] = [];
    for (const store of group.stores) {
      const constant = constantOf(store.value);
      if (constant === undefined) { others.push({ ...store }); continue; }
      for (let i = 0; i < store.size; i++) bytes[store.offset + i] = Number((constant >> BigInt(8 * i)) & 0xffn);
    }
    // Numbers that are followed by zeroes take those in.
    for (const store of others) {
      while (store.size < 8 && bits.of(store.value) <= store.size * 8 && store.offset % (store.size * 2) === 0 && store.value.type !== "ptr") {
        const above = bytes.slice(store.offset + store.size, store.offset + store.size * 2);
        if (above.length < store.size || above.some((byte) => byte !== 0)) break;
        bytes.fill(undefined, store.offset + store.size, store.offset + store.size * 2);
        store.size = (store.size * 2) as AccessSize;
      }
    }
    const constants = coverage(bytes);
    if (constants.length + others.length >= group.stores.length) return undefined;
    const { address } = addresses.get(group.slot)!;
    const last = block.instructions[group.stores[group.stores.length - 1]!.index]!;
    const out: IrInstruction[] = [];
    const push = (operation: Operation, source: IrInstruction["source"], result?: Value): void => {
      out.push({ ...(result !== undefined && { result }), operation, ...(source !== undefined && { source }) });
    };
    for (const store of others) {
      const { source } = block.instructions[store.index]!;
      let { value } = store;
      if (store.size === 8 && value.type === "i32") {
        const wide: Value = { id: nextId++, type: "i64" };
        push({ op: "extend", bits: 32, signed: false, operand: value }, source, wide);
        value = wide;
      }
      push({ op: "store", size: store.size, space: "stack", address, offset: store.offset, value }, source);
    }
    for (const { offset, size, value } of constants) {
      const made: Value = { id: nextId++, type: size === 8 ? "i64" : "i32" };
      push({ op: "constant", value }, undefined, made);
      push({ op: "store", size, space: "stack", address, offset, value: made }, last.source);
    }
    return out;
  };

  const blocks = fn.blocks.map(mergeBlock);
  return changed ? { ...fn, blocks } : fn;
}

/** The fewest aligned stores that set these bytes, each of what an immediate can say. */
function coverage(bytes: readonly (number | undefined)[]): { offset: number; size: AccessSize; value: bigint }[] {
  const stores: { offset: number; size: AccessSize; value: bigint }[] = [];
  for (let offset = 0; offset < bytes.length;) {
    if (bytes[offset] === undefined) { offset++; continue; }
    for (const size of [8, 4, 2, 1] as const) {
      if (offset % size !== 0 || offset + size > bytes.length) continue;
      const part = bytes.slice(offset, offset + size);
      if (part.includes(undefined)) continue;
      const value = part.reduceRight<bigint>((sum, byte) => (sum << 8n) | BigInt(byte!), 0n);
      // An 8-byte store extends its 32-bit immediate by sign.
      if (size === 8 && BigInt.asIntN(32, value) !== BigInt.asIntN(64, value)) continue;
      stores.push({ offset, size, value: size === 8 ? BigInt.asIntN(64, value) : value });
      offset += size;
      break;
    }
  }
  return stores;
}
