/** Reads the intermediate form as `printFunction` writes it, for tests. */
import { type HelperName, helperNumber } from "../../asm/index.ts";
import type { MapDefinition } from "../../types/index.ts";
import type {
  AccessSize,
  BinaryOperator,
  Block,
  Comparison,
  Effects,
  IrFunction,
  IrInstruction,
  Operation,
  Space,
  StackSlot,
  Target,
  Terminator,
  Value,
  ValueType,
} from "../ir/ir.ts";

export interface ParseOptions {
  readonly maps?: readonly MapDefinition[];
  /** By helper's name; a helper without an entry is neither pure nor removable, and writes map memory. */
  readonly effects?: Readonly<Record<string, Effects>>;
}

/** @throws {Error} with the line it cannot read. */
export function parseFunction(text: string, options: ParseOptions = {}): IrFunction {
  const lines = text
    .split("\n")
    .map((line) => line.replace(/;.*/, "").trim())
    .filter((line) => line !== "");
  const values = new Map<number, Value>();
  const slots = new Map<number, StackSlot>();
  const head = /^function ([\w.]+)\((.*)\)$/.exec(lines[0]!);
  if (head === null) throw new Error(`not a function: ${lines[0]}`);

  const define = (id: string, type: string): Value => {
    const value: Value = { id: Number(id.slice(1)), type: type as ValueType };
    values.set(value.id, value);
    return value;
  };
  const parameters = (list: string): Value[] =>
    [...list.matchAll(/(v\d+): (\w+)/g)].map(([, id, type]) => define(id!, type!));
  const functionParameters = parameters(head[2]!);
  for (const line of lines.slice(1)) {
    const block = /^b\d+\((.*)\):$/.exec(line);
    if (block !== null) parameters(block[1]!);
    const result = /^(v\d+): (\w+) = /.exec(line);
    if (result !== null) define(result[1]!, result[2]!);
  }
  const value = (id: string): Value => {
    const found = values.get(Number(id.slice(1)));
    if (found === undefined) throw new Error(`${id} is not defined`);
    return found;
  };
  const list = (text: string): Value[] => [...text.matchAll(/v\d+/g)].map(([id]) => value(id));
  const target = (text: string): Target => {
    const [, block, args] = /^b(\d+)(?:\((.*)\))?$/.exec(text)!;
    return { block: Number(block), arguments: list(args ?? "") };
  };
  const match = (pattern: RegExp, text: string): string[] | undefined => pattern.exec(text)?.slice(1);
  const place = String.raw`(\w+) \[(v\d+)(?: ([+-]) (\d+))?\]`;
  const at = (space: string, address: string, sign: string | undefined, offset: string | undefined) => ({
    space: space as Space,
    address: value(address),
    offset: offset === undefined ? 0 : Number(`${sign}${offset}`),
  });

  const operation = (text: string): Operation => {
    let m: string[] | undefined;
    if (/^-?\d+$/.test(text)) return { op: "constant", value: BigInt(text) };
    if ((m = match(/^(add|sub|mul|div|mod|sdiv|smod|and|or|xor|lsh|rsh|arsh) (v\d+), (v\d+)$/, text))) {
      return { op: "binary", operator: m[0] as BinaryOperator, left: value(m[1]!), right: value(m[2]!) };
    }
    if ((m = match(/^negate (v\d+)$/, text))) return { op: "negate", operand: value(m[0]!) };
    if ((m = match(/^byteswap(\d+) (v\d+)$/, text)))
      return { op: "byteswap", bits: Number(m[0]) as 16, operand: value(m[1]!) };
    if ((m = match(/^(sign|zero)-extend(\d+) (v\d+)$/, text))) {
      return { op: "extend", bits: Number(m[1]) as 8, signed: m[0] === "sign", operand: value(m[2]!) };
    }
    if ((m = match(/^truncate (v\d+)$/, text))) return { op: "truncate", operand: value(m[0]!) };
    if ((m = match(new RegExp(`^load(-signed)?(\\d) ${place}$`), text))) {
      return {
        op: "load",
        size: Number(m[1]) as AccessSize,
        signed: m[0] !== undefined,
        ...at(m[2]!, m[3]!, m[4], m[5]),
      };
    }
    if ((m = match(new RegExp(`^store(\\d) ${place}, (v\\d+)$`), text))) {
      return { op: "store", size: Number(m[0]) as AccessSize, ...at(m[1]!, m[2]!, m[3], m[4]), value: value(m[5]!) };
    }
    if ((m = match(new RegExp(`^atomic-(add|and|or|xor|exchange)(-fetch)?(\\d) ${place}, (v\\d+)$`), text))) {
      return {
        op: "atomic",
        operator: m[0] as "add",
        fetch: m[1] !== undefined,
        size: Number(m[2]) as 4,
        ...at(m[3]!, m[4]!, m[5], m[6]),
        value: value(m[7]!),
      };
    }
    if ((m = match(new RegExp(`^compare-exchange(\\d) ${place}, (v\\d+), (v\\d+)$`), text))) {
      return {
        op: "compare-exchange",
        size: Number(m[0]) as 4,
        ...at(m[1]!, m[2]!, m[3], m[4]),
        expected: value(m[5]!),
        value: value(m[6]!),
      };
    }
    if ((m = match(/^stack (.+)#(\d+) \((\d+) bytes, align (\d)\)$/, text))) {
      const id = Number(m[1]);
      const slot = slots.get(id) ?? { id, name: m[0]!, size: Number(m[2]), align: Number(m[3]) };
      slots.set(id, slot);
      return { op: "stack", slot };
    }
    const map = (name: string): MapDefinition => {
      const found = options.maps?.find((candidate) => candidate.name === name);
      if (found === undefined) throw new Error(`map ${name} is not declared`);
      return found;
    };
    if ((m = match(/^map-value (\S+) \+ (\d+)$/, text)))
      return { op: "map-value", map: map(m[0]!), offset: Number(m[1]) };
    if ((m = match(/^map (\S+)$/, text))) return { op: "map", map: map(m[0]!) };
    if ((m = match(/^function (\S+)$/, text))) return { op: "function", name: m[0]! };
    if ((m = match(/^call ([\w.]+)\((.*)\)$/, text))) {
      const name = m[0]!;
      const helper = helperNumber(name as HelperName);
      if (helper === undefined) throw new Error(`${name} is not a helper`);
      return {
        op: "call",
        helper,
        name,
        arguments: list(m[1]!),
        effects: options.effects?.[name] ?? { clobbers: ["map"] },
      };
    }
    if ((m = match(/^call-(function|kernel) ([\w.]+)\((.*)\)$/, text))) {
      return { op: m[0] === "kernel" ? "call-kernel" : "call-function", name: m[1]!, arguments: list(m[2]!) };
    }
    if ((m = match(/^compare (\w+) (v\d+), (v\d+)$/, text))) {
      return { op: "compare", comparison: m[0] as Comparison, left: value(m[1]!), right: value(m[2]!) };
    }
    throw new Error(`not an operation: ${text}`);
  };
  const terminator = (text: string): Terminator | undefined => {
    let m: string[] | undefined;
    if ((m = match(/^jump (.+)$/, text))) return { op: "jump", target: target(m[0]!) };
    if ((m = match(/^return (v\d+)$/, text))) return { op: "return", value: value(m[0]!) };
    if ((m = match(/^if (v\d+) (\w+) (v\d+) then (.+) else (.+)$/, text))) {
      return {
        op: "branch",
        comparison: m[1] as Comparison,
        left: value(m[0]!),
        right: value(m[2]!),
        then: target(m[3]!),
        else: target(m[4]!),
      };
    }
    return undefined;
  };

  const blocks: Block[] = [];
  let open: { id: number; parameters: readonly Value[]; instructions: IrInstruction[] } | undefined;
  for (const line of lines.slice(1)) {
    const label = /^b(\d+)(?:\((.*)\))?:$/.exec(line);
    if (label !== null) {
      open = { id: Number(label[1]), parameters: list((label[2] ?? "").replace(/: \w+/g, "")), instructions: [] };
      continue;
    }
    if (open === undefined) throw new Error(`outside of a block: ${line}`);
    const end = terminator(line);
    if (end !== undefined) {
      blocks.push({ ...open, terminator: end });
      open = undefined;
      continue;
    }
    const [, id, text] = /^(?:(v\d+): \w+ = )?(.*)$/.exec(line)!;
    open.instructions.push({ ...(id !== undefined && { result: value(id) }), operation: operation(text!) });
  }
  return { name: head[1]!, parameters: functionParameters, blocks };
}
