/** Loads, stores and atomic operations. */
import { CompileError } from "../error.ts";
import type { Operation, Value } from "../ir/ir.ts";
import { fitsImmediate, type MachineWriter } from "./machine-writer.ts";
import {
  arithmeticCode,
  AtomicOperation,
  atomicOpcode,
  InstructionClass,
  loadOpcode,
  Opcode,
  storeImmediateOpcode,
  storeOpcode,
} from "./opcode.ts";

export function load(
  writer: MachineWriter,
  operation: Extract<Operation, { op: "load" }>,
  result: Value | undefined,
): void {
  const { size, signed, space } = operation;
  const { base, offset, slot } = writer.address(operation.address, operation.offset);
  const dst = result === undefined ? writer.newRegister() : writer.register(result);
  const extended = signed && size < 8;
  const direct = extended && writer.isa >= 4 && result?.type === "i64";
  const reloadable = result !== undefined && writer.reloadable[result.id] === 1;
  writer.emit(loadOpcode(size, direct), dst, base, offset, 0, { slot, space, reloadable });
  if (!extended || direct || result === undefined) return;
  const bits = size * 8;
  if (result.type === "i32" && writer.isa >= 3) {
    if (size === 4) return;
    if (writer.isa >= 4) {
      writer.emit(Opcode.MOVE32, dst, dst, bits, 0);
    } else {
      writer.emit(arithmeticCode("lsh") | InstructionClass.ALU, dst, 0, 0, 32 - bits);
      writer.emit(arithmeticCode("arsh") | InstructionClass.ALU, dst, 0, 0, 32 - bits);
    }
    return;
  }
  if (result.type === "i32" && size === 4) return;
  writer.shift64("lsh", dst, 64 - bits);
  writer.shift64("arsh", dst, 64 - bits);
  if (result.type === "i32") writer.clean(dst);
}

export function store(writer: MachineWriter, operation: Extract<Operation, { op: "store" }>): void {
  const { size, space, value } = operation;
  const constant = writer.constantOf(value);
  // Before Linux 6.4 the verifier refuses to store an immediate into the context.
  if (constant !== undefined && space !== "context") {
    const stored =
      size === 8
        ? BigInt.asIntN(64, constant)
        : BigInt.asIntN(32, size === 4 ? constant : BigInt.asUintN(size * 8, constant));
    if (fitsImmediate(stored)) {
      const { base, offset, slot } = writer.address(operation.address, operation.offset);
      writer.emit(storeImmediateOpcode(size), base, 0, offset, Number(stored), { slot, space });
      return;
    }
  }
  const { base, offset, slot } = writer.address(operation.address, operation.offset);
  writer.emit(storeOpcode(size), base, writer.read(value), offset, 0, { slot, space });
}

export function atomic(
  writer: MachineWriter,
  operation: Extract<Operation, { op: "atomic" }>,
  result: Value | undefined,
): void {
  const { operator, size, space } = operation;
  const fetch = operation.fetch && result !== undefined;
  const { base, offset, slot } = writer.address(operation.address, operation.offset);
  const exchange = operator === "exchange";
  if (writer.isa < 3 && (fetch || operator !== "add"))
    throw unknownAtomic(writer, `an atomic ${operator}${fetch ? " that gives the old value" : ""}`);
  const code = AtomicOperation[operator] | (fetch ? AtomicOperation.FETCH : 0);
  const gives = fetch || exchange;
  const src = gives
    ? result === undefined
      ? writer.copy(operation.value)
      : writer.register(result)
    : writer.read(operation.value);
  if (gives && result !== undefined) writer.into(src, operation.value);
  writer.emit(atomicOpcode(size), base, src, offset, code, { slot, space });
}

export function compareExchange(
  writer: MachineWriter,
  operation: Extract<Operation, { op: "compare-exchange" }>,
  result: Value | undefined,
): void {
  if (writer.isa < 3) throw unknownAtomic(writer, "a compare-exchange");
  const { size, space } = operation;
  const { base, offset, slot } = writer.address(operation.address, operation.offset);
  const value = writer.read(operation.value);
  writer.into(0, operation.expected);
  writer.emit(atomicOpcode(size), base, value, offset, AtomicOperation.compareExchange, { slot, space });
  if (result !== undefined) writer.move(writer.register(result), 0);
}

function unknownAtomic({ fn, isa, source }: MachineWriter, what: string): CompileError {
  const where = source === undefined ? "" : ` (${source.file}:${source.line})`;
  return new CompileError(
    `${fn.name}${where}: ${what} needs instruction set 3 (complete from Linux 5.12 on), ` +
      `but this program is compiled for ${isa}; ` +
      "every instruction set has an atomic add without the old value",
    source,
  );
}
