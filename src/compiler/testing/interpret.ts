/** Interprets the intermediate form: the reference for compiled programs. */
import { evaluateBinary, evaluateByteswap, evaluateComparison, evaluateExtend, widthOf } from "../ir/evaluate.ts";
import type { AccessSize, IrFunction, IrModule, Operation, Target, Value } from "../ir/ir.ts";

/** A place in memory; numbers are unsigned bigints. */
export interface Pointer {
  readonly memory: Uint8Array;
  readonly offset: number;
}
export type Datum = bigint | Pointer;

export interface Machine {
  /** The first value of each array map. */
  readonly maps: ReadonlyMap<string, Uint8Array>;
  call(name: string, values: readonly Datum[]): Datum;
}

/** @returns the main function's result, unsigned 64 bits */
export function interpret(module: IrModule, values: readonly Datum[], machine: Machine): bigint {
  const result = run(module, module.functions[0], values, machine);
  if (typeof result !== "bigint") throw new Error("the program returned a pointer");
  return result;
}

function run(module: IrModule, fn: IrFunction, parameters: readonly Datum[], machine: Machine): Datum {
  const values: Datum[] = [];
  fn.parameters.forEach(({ id }, i) => {
    values[id] = parameters[i]!;
  });
  const frame = new Map<number, Uint8Array>();
  const blocks = new Map(fn.blocks.map((block) => [block.id, block]));
  const datum = ({ id }: Value): Datum => values[id]!;
  const number = (value: Value): bigint => {
    const found = datum(value);
    if (typeof found !== "bigint") throw new Error(`v${value.id} is a pointer`);
    return found;
  };
  const view = (address: Value, offset: number): { view: DataView; at: number } => {
    const pointer = datum(address);
    if (typeof pointer === "bigint") throw new Error(`v${address.id} is not a pointer`);
    return {
      view: new DataView(pointer.memory.buffer, pointer.memory.byteOffset, pointer.memory.byteLength),
      at: pointer.offset + offset,
    };
  };
  const load = (address: Value, offset: number, size: AccessSize): bigint => {
    const { view: memory, at } = view(address, offset);
    switch (size) {
      case 1:
        return BigInt(memory.getUint8(at));
      case 2:
        return BigInt(memory.getUint16(at, true));
      case 4:
        return BigInt(memory.getUint32(at, true));
      case 8:
        return memory.getBigUint64(at, true);
    }
  };
  const store = (address: Value, offset: number, size: AccessSize, value: bigint): void => {
    const { view: memory, at } = view(address, offset);
    switch (size) {
      case 1:
        memory.setUint8(at, Number(BigInt.asUintN(8, value)));
        return;
      case 2:
        memory.setUint16(at, Number(BigInt.asUintN(16, value)), true);
        return;
      case 4:
        memory.setUint32(at, Number(BigInt.asUintN(32, value)), true);
        return;
      case 8:
        memory.setBigUint64(at, BigInt.asUintN(64, value), true);
    }
  };
  const compare = (comparison: Parameters<typeof evaluateComparison>[0], left: Value, right: Value): boolean => {
    const a = datum(left);
    const b = datum(right);
    if (typeof a === "bigint" && typeof b === "bigint") return evaluateComparison(comparison, a, b, widthOf(left.type));
    const same = typeof a !== "bigint" && typeof b !== "bigint" && a.memory === b.memory && a.offset === b.offset;
    if (comparison === "eq" || comparison === "ne") return (comparison === "eq") === same;
    throw new Error("pointers compared by order");
  };
  const evaluate = (o: Operation, result: Value | undefined): Datum | undefined => {
    switch (o.op) {
      case "constant":
        return BigInt.asUintN(result === undefined ? 64 : widthOf(result.type), o.value);
      case "binary": {
        const left = datum(o.left);
        if (typeof left !== "bigint") {
          const by = Number(BigInt.asIntN(64, number(o.right)));
          return { memory: left.memory, offset: left.offset + (o.operator === "sub" ? -by : by) };
        }
        return evaluateBinary(o.operator, left, number(o.right), widthOf(o.left.type));
      }
      case "negate":
        return BigInt.asUintN(widthOf(o.operand.type), -number(o.operand));
      case "byteswap":
        return evaluateByteswap(number(o.operand), o.bits);
      case "extend":
        return evaluateExtend(number(o.operand), o.bits, o.signed, result === undefined ? 64 : widthOf(result.type));
      case "truncate":
        return BigInt.asUintN(32, number(o.operand));
      case "load": {
        const loaded = load(o.address, o.offset, o.size);
        return BigInt.asUintN(
          result === undefined ? 64 : widthOf(result.type),
          o.signed ? BigInt.asIntN(8 * o.size, loaded) : loaded,
        );
      }
      case "store":
        store(o.address, o.offset, o.size, number(o.value));
        return undefined;
      case "atomic": {
        const old = load(o.address, o.offset, o.size);
        const value = number(o.value);
        store(
          o.address,
          o.offset,
          o.size,
          o.operator === "exchange" ? value : evaluateBinary(o.operator, old, value, 64),
        );
        return old;
      }
      case "compare-exchange": {
        const old = load(o.address, o.offset, o.size);
        if (old === number(o.expected)) store(o.address, o.offset, o.size, number(o.value));
        return old;
      }
      case "stack": {
        let memory = frame.get(o.slot.id);
        if (memory === undefined) frame.set(o.slot.id, (memory = new Uint8Array(o.slot.size)));
        return { memory, offset: 0 };
      }
      case "map":
        return { memory: machine.maps.get(o.map.name)!, offset: 0 };
      case "map-value":
        return { memory: machine.maps.get(o.map.name)!, offset: o.offset };
      case "call":
        return machine.call(o.name, o.arguments.map(datum));
      case "call-function": {
        const called = module.functions.find(({ name }) => name === o.name)!;
        return run(module, called, o.arguments.map(datum), machine);
      }
      case "compare":
        return compare(o.comparison, o.left, o.right) ? 1n : 0n;
      default:
        throw new Error(`the interpreter does not support ${o.op}`);
    }
  };
  for (let block = fn.blocks[0]!, steps = 0; ; steps++) {
    if (steps > 100_000) throw new Error("the program doesn't end");
    for (const { operation, result } of block.instructions) {
      const value = evaluate(operation, result);
      if (result !== undefined) values[result.id] = value!;
    }
    const { terminator } = block;
    if (terminator.op === "return") return datum(terminator.value);
    const target: Target =
      terminator.op === "jump"
        ? terminator.target
        : compare(terminator.comparison, terminator.left, terminator.right)
          ? terminator.then
          : terminator.else;
    block = blocks.get(target.block)!;
    const given = target.arguments.map(datum);
    block.parameters.forEach(({ id }, i) => {
      values[id] = given[i]!;
    });
  }
}
