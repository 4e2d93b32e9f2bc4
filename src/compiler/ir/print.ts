/** The intermediate form as text, for people and for tests. */
import type { IrFunction, IrInstruction, IrModule, Operation, Target, Terminator, Value } from "./ir.ts";

export function printModule(module: IrModule): string {
  return module.functions.map(printFunction).join("\n");
}

export function printFunction(fn: IrFunction): string {
  const lines = [`function ${fn.name}(${fn.parameters.map(printTyped).join(", ")})`];
  for (const block of fn.blocks) {
    lines.push(
      `b${block.id}${block.parameters.length === 0 ? "" : `(${block.parameters.map(printTyped).join(", ")})`}:`,
    );
    for (const instruction of block.instructions) lines.push(`  ${printInstruction(instruction)}`);
    lines.push(`  ${printTerminator(block.terminator)}`);
  }
  return `${lines.join("\n")}\n`;
}

const printTyped = (value: Value): string => `v${value.id}: ${value.type}`;
const v = (value: Value): string => `v${value.id}`;
const list = (values: readonly Value[]): string => values.map(v).join(", ");
const place = (address: Value, offset: number): string =>
  `[${v(address)}${offset === 0 ? "" : offset < 0 ? ` - ${-offset}` : ` + ${offset}`}]`;

export function printInstruction({ result, operation }: IrInstruction): string {
  return `${result === undefined ? "" : `${printTyped(result)} = `}${printOperation(operation)}`;
}

function printOperation(o: Operation): string {
  switch (o.op) {
    case "constant":
      return `${o.value}`;
    case "binary":
      return `${o.operator} ${v(o.left)}, ${v(o.right)}`;
    case "negate":
      return `negate ${v(o.operand)}`;
    case "byteswap":
      return `byteswap${o.bits} ${v(o.operand)}`;
    case "extend":
      return `${o.signed ? "sign" : "zero"}-extend${o.bits} ${v(o.operand)}`;
    case "truncate":
      return `truncate ${v(o.operand)}`;
    case "load":
      return `load${o.signed ? "-signed" : ""}${o.size} ${o.space} ${place(o.address, o.offset)}`;
    case "store":
      return `store${o.size} ${o.space} ${place(o.address, o.offset)}, ${v(o.value)}`;
    case "atomic":
      return (
        `atomic-${o.operator}${o.fetch ? "-fetch" : ""}${o.size} ${o.space} ${place(o.address, o.offset)}, ` +
        `${v(o.value)}`
      );
    case "compare-exchange":
      return `compare-exchange${o.size} ${o.space} ${place(o.address, o.offset)}, ${v(o.expected)}, ${v(o.value)}`;
    case "stack":
      return `stack ${o.slot.name}#${o.slot.id} (${o.slot.size} bytes, align ${o.slot.align})`;
    case "map":
      return `map ${o.map.name}`;
    case "map-value":
      return `map-value ${o.map.name} + ${o.offset}`;
    case "function":
      return `function ${o.name}`;
    case "call":
      return `call ${o.name}(${list(o.arguments)})`;
    case "call-function":
      return `call-function ${o.name}(${list(o.arguments)})`;
    case "call-kernel":
      return `call-kernel ${o.name}(${list(o.arguments)})`;
    case "compare":
      return `compare ${o.comparison} ${v(o.left)}, ${v(o.right)}`;
    case "assembly":
      return `assembly of ${o.items.length} (${list(o.arguments)})`;
  }
}

const printTarget = ({ block, arguments: values }: Target): string =>
  `b${block}${values.length === 0 ? "" : `(${list(values)})`}`;

export function printTerminator(t: Terminator): string {
  switch (t.op) {
    case "jump":
      return `jump ${printTarget(t.target)}`;
    case "branch":
      return `if ${v(t.left)} ${t.comparison} ${v(t.right)} then ${printTarget(t.then)} else ${printTarget(t.else)}`;
    case "return":
      return `return ${v(t.value)}`;
  }
}
