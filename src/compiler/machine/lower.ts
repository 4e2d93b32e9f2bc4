/** Instruction selection: from SSA values to two-address instructions over virtual registers. */
import type { Block, IrFunction, Operation, Value } from "../ir/ir.ts";
import type { InstructionSet } from "../instruction-set.ts";
import { binary, extend, lowHalf } from "./lower-arithmetic.ts";
import { compare, lowerTerminator } from "./lower-control-flow.ts";
import { atomic, compareExchange, load, store } from "./lower-memory.ts";
import { MachineWriter } from "./machine-writer.ts";
import type { MachineFunction, MachineInstruction } from "./machine.ts";
import { Opcode, Pseudo } from "./opcode.ts";

export function lower(fn: IrFunction, isa: InstructionSet): MachineFunction {
  const writer = new MachineWriter(fn, isa);
  writer.flow.blocks.forEach((block, index) => lowerBlock(writer, block, index));
  return writer.finish();
}

function lowerBlock(writer: MachineWriter, block: Block, index: number): void {
  writer.start(index);
  if (index === 0) {
    writer.fn.parameters.forEach((parameter, i) => writer.move(writer.register(parameter), i + 1));
  }
  for (const { result, operation, source } of block.instructions) {
    writer.source = source ?? writer.source;
    lowerOperation(writer, operation, result);
  }
  writer.source = block.terminator.source ?? writer.source;
  lowerTerminator(writer, block);
}

function lowerOperation(writer: MachineWriter, operation: Operation, result: Value | undefined): void {
  switch (operation.op) {
    case "constant":
    case "stack":
    case "map":
    case "map-value":
    case "function":
      return;
    case "binary":
      if (result !== undefined) binary(writer, result, operation.operator, operation.left, operation.right);
      return;
    case "negate": {
      if (result === undefined) return;
      const dst = writer.register(result);
      writer.into(dst, operation.operand);
      const narrow = result.type === "i32" && writer.isa >= 3;
      writer.emit(narrow ? Opcode.NEGATE32 : Opcode.NEGATE64, dst, 0, 0, 0);
      if (result.type === "i32" && !narrow) writer.clean(dst);
      return;
    }
    case "byteswap": {
      if (result === undefined) return;
      const dst = writer.register(result);
      writer.into(dst, operation.operand);
      writer.emit(writer.isa >= 4 ? Opcode.BYTESWAP : Opcode.TO_BIG_ENDIAN, dst, 0, 0, operation.bits);
      return;
    }
    case "extend":
      if (result !== undefined) extend(writer, result, operation.bits, operation.signed, operation.operand);
      return;
    case "truncate": {
      if (result === undefined) return;
      lowHalf(writer, writer.register(result), writer.read(operation.operand), result);
      return;
    }
    case "load":
      load(writer, operation, result);
      return;
    case "store":
      store(writer, operation);
      return;
    case "atomic":
      atomic(writer, operation, result);
      return;
    case "compare-exchange":
      compareExchange(writer, operation, result);
      return;
    case "call":
      call(writer, operation.arguments, result, { immediate: operation.helper });
      return;
    case "call-function":
      call(writer, operation.arguments, result, {
        immediate: 0,
        src: Pseudo.CALL_FUNCTION,
        reference: { kind: "label", name: operation.name },
      });
      return;
    case "call-kernel":
      call(writer, operation.arguments, result, {
        immediate: 0,
        src: Pseudo.CALL_KERNEL,
        reference: { kind: "kernel-function", name: operation.name },
      });
      return;
    case "assembly":
      call(writer, operation.arguments, result, { immediate: 0, items: operation.items });
      return;
    case "compare":
      if (result !== undefined) compare(writer, result, operation.comparison, operation.left, operation.right);
      return;
  }
}

function call(
  writer: MachineWriter,
  values: readonly Value[],
  result: Value | undefined,
  what: {
    immediate: number;
    src?: number;
    reference?: MachineInstruction["reference"];
    items?: MachineInstruction["items"];
  },
): void {
  values.forEach((value, i) => writer.into(i + 1, value));
  writer.emit(Opcode.CALL, 0, what.src ?? 0, 0, what.immediate, {
    argumentCount: values.length,
    reference: what.reference,
    items: what.items,
  });
  writer.forgetConstants();
  if (result === undefined) return;
  // The upper half of a helper's 32-bit result is undefined.
  if (result.type === "i32" && what.src === undefined) lowHalf(writer, writer.register(result), 0, result);
  else writer.move(writer.register(result), 0);
}
