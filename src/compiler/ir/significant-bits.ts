/** Upper bounds of numbers: which bits may be set. */
import { targetsOf } from "./analysis.ts";
import type { IrFunction, Operation, Value } from "./ir.ts";

/** Definitions by value id; a pass that rewrites may supply its own. */
export interface Definitions {
  operation(value: Value): Operation | undefined;
}

export const bitLength = (value: bigint): number => {
  if (value <= 0xffff_ffffn) return 32 - Math.clz32(Number(value));
  return 64 - Math.clz32(Number(value >> 32n));
};

/** Bounds for values of one function: n where a value is always below 2^n (as an unsigned number of its width). */
export class SignificantBits {
  private readonly definitions: Definitions;
  /** By a block parameter's id, its incoming values. */
  private readonly incoming: (Value[] | undefined)[] = [];
  private readonly known: (number | undefined)[] = [];

  constructor(fn: IrFunction, definitions: Definitions) {
    this.definitions = definitions;
    const parameters: (readonly Value[])[] = [];
    for (const block of fn.blocks) parameters[block.id] = block.parameters;
    for (const block of fn.blocks) {
      for (const { block: to, arguments: values } of targetsOf(block.terminator)) {
        parameters[to]!.forEach(({ id }, i) => {
          (this.incoming[id] ??= []).push(values[i]!);
        });
      }
    }
  }

  of(value: Value): number {
    const known = this.known[value.id];
    if (known !== undefined) return known;
    const width = value.type === "i32" ? 32 : 64;
    // A value that depends on itself around a loop: only its width is known.
    this.known[value.id] = width;
    const operation = this.definitions.operation(value);
    let bits = width;
    if (operation !== undefined) bits = Math.min(width, this.ofOperation(operation, width));
    else {
      const incoming = this.incoming[value.id];
      if (incoming !== undefined)
        bits = incoming.reduce((most, from) => (most >= width ? most : Math.max(most, this.of(from))), 0);
    }
    this.known[value.id] = bits;
    return bits;
  }

  ofOperation(o: Operation, width: number): number {
    switch (o.op) {
      case "constant":
        return bitLength(BigInt.asUintN(width, o.value));
      case "binary": {
        const left = this.of(o.left);
        const constant = this.constant(o.right);
        switch (o.operator) {
          case "and":
            return Math.min(left, this.of(o.right));
          case "or":
          case "xor":
            return Math.max(left, this.of(o.right));
          case "add":
            return Math.max(left, this.of(o.right)) + 1;
          case "mul":
            return left + this.of(o.right);
          case "lsh":
            return constant === undefined ? width : left + Number(constant & BigInt(width - 1));
          case "rsh":
            return constant === undefined ? left : Math.max(0, left - Number(constant & BigInt(width - 1)));
          case "arsh":
            if (left >= width) return width;
            return constant === undefined ? left : Math.max(0, left - Number(constant & BigInt(width - 1)));
          // The verifier knows no bound of a quotient, so keep a mask after it: the mask may make it a valid index.
          default:
            return width;
        }
      }
      case "byteswap":
        return o.bits;
      case "extend": {
        const bits = this.of(o.operand);
        if (!o.signed) return Math.min(bits, o.bits);
        return bits < o.bits ? bits : width;
      }
      case "truncate":
        return this.of(o.operand);
      case "load":
        return o.signed ? width : o.size * 8;
      case "compare":
        return 1;
      default:
        return width;
    }
  }

  private constant(value: Value): bigint | undefined {
    const operation = this.definitions.operation(value);
    return operation?.op === "constant" ? BigInt.asUintN(value.type === "i32" ? 32 : 64, operation.value) : undefined;
  }
}
