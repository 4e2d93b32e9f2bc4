/** Random programs: a small language that fast-check generates and shrinks, translated to the intermediate form. */
import fc from "fast-check";
import { helperNumber } from "../../asm/index.ts";
import { array, arrayOf, u64, type MapDefinition } from "../../types/index.ts";
import type {
  AccessSize,
  BinaryOperator,
  Block,
  Comparison,
  IrFunction,
  IrModule,
  Operation,
  StackSlot,
  Terminator,
  Value,
  ValueType,
} from "../ir/ir.ts";

/** The first half holds random input, the second half results. */
export const data: MapDefinition = array("random_data", { value: arrayOf(u64, 32), maxEntries: 1 });
const OUTPUT = 128;
const NARROW = 3;
const WIDE = 3;

type Expression =
  | { kind: "constant"; value: bigint }
  | { kind: "variable"; index: number }
  | { kind: "binary"; operator: BinaryOperator; left: Expression; right: Expression }
  | { kind: "negate"; operand: Expression }
  | { kind: "byteswap"; bits: 16 | 32; operand: Expression }
  | { kind: "extend"; bits: 8 | 16 | 32; signed: boolean; operand: Expression }
  /** Converts from the other width. */
  | { kind: "convert"; operand: Expression }
  | { kind: "compare"; comparison: Comparison; wide: boolean; left: Expression; right: Expression }
  | { kind: "load"; space: "stack" | "map"; size: AccessSize; signed: boolean; place: number };

type Statement =
  | { kind: "assign"; wide: boolean; index: number; value: Expression }
  | { kind: "store"; space: "stack" | "map"; size: AccessSize; place: number; value: Expression }
  | {
      kind: "if";
      comparison: Comparison;
      wide: boolean;
      left: Expression;
      right: Expression;
      then: Statement[];
      else: Statement[];
    }
  | { kind: "loop"; times: number; body: Statement[] }
  /** A helper that writes packet bytes to the stack. */
  | { kind: "load-bytes"; place: number }
  /** A lookup that may find the map's one element. */
  | { kind: "lookup"; key: Expression; wide: number }
  | {
      kind: "atomic";
      operator: "add" | "or" | "and" | "xor" | "exchange";
      fetch: boolean;
      size: 4 | 8;
      place: number;
      index: number;
      value: Expression;
    }
  | { kind: "subprogram"; index: number; value: Expression }
  | { kind: "return"; value: Expression };

export type RandomProgram = readonly Statement[];

const interesting = [
  0n,
  1n,
  2n,
  3n,
  4n,
  7n,
  8n,
  15n,
  31n,
  32n,
  63n,
  0x80n,
  0xffn,
  0x100n,
  0x8000n,
  0xffffn,
  0x10000n,
  0x7fffffffn,
  0x80000000n,
  0xffffffffn,
  0x100000000n,
  -1n,
  -2n,
  -128n,
  -0x80000000n,
  0x7fffffffffffffffn,
  -0x8000000000000000n,
  0x0123456789abcdefn,
];
const constant = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...interesting) },
  fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }),
);
const operator = fc.constantFrom<BinaryOperator>(
  "add",
  "sub",
  "mul",
  "div",
  "mod",
  "sdiv",
  "smod",
  "and",
  "or",
  "xor",
  "lsh",
  "rsh",
  "arsh",
);
const comparison = fc.constantFrom<Comparison>("eq", "ne", "lt", "le", "gt", "ge", "slt", "sle", "sgt", "sge", "set");
const size = fc.constantFrom<AccessSize>(1, 2, 4, 8);
const space = fc.constantFrom<"stack" | "map">("stack", "map");
const place = fc.nat(15);

const { expression } = fc.letrec<{ expression: Expression }>((tie) => ({
  expression: fc.oneof(
    { maxDepth: 5, depthSize: "large" },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant("variable" as const), index: fc.nat(2) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("constant" as const), value: constant }) },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant("load" as const), space, size, signed: fc.boolean(), place }),
    },
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant("binary" as const),
        operator,
        left: tie("expression"),
        right: tie("expression"),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("negate" as const), operand: tie("expression") }) },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant("byteswap" as const),
        bits: fc.constantFrom<16 | 32>(16, 32),
        operand: tie("expression"),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant("extend" as const),
        bits: fc.constantFrom<8 | 16 | 32>(8, 16, 32),
        signed: fc.boolean(),
        operand: tie("expression"),
      }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("convert" as const), operand: tie("expression") }) },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant("compare" as const),
        comparison,
        wide: fc.boolean(),
        left: tie("expression"),
        right: tie("expression"),
      }),
    },
  ) as fc.Arbitrary<Expression>,
}));

const { statements } = fc.letrec<{ statements: Statement[]; statement: Statement }>((tie) => ({
  statements: fc.array(tie("statement"), { maxLength: 6, size: "medium", depthIdentifier: "statements" }),
  statement: fc.oneof(
    { maxDepth: 3, depthIdentifier: "statements" },
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant("assign" as const),
        wide: fc.boolean(),
        index: fc.nat(2),
        value: expression,
      }),
    },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant("store" as const), space, size, place, value: expression }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("load-bytes" as const), place }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("lookup" as const), key: expression, wide: fc.nat(2) }) },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant("atomic" as const),
        operator: fc.constantFrom("add", "or", "and", "xor", "exchange"),
        fetch: fc.boolean(),
        size: fc.constantFrom<4 | 8>(4, 8),
        place,
        index: fc.nat(2),
        value: expression,
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant("subprogram" as const), index: fc.nat(2), value: expression }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("return" as const), value: expression }) },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant("if" as const),
        comparison,
        wide: fc.boolean(),
        left: expression,
        right: expression,
        then: tie("statements"),
        else: tie("statements"),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant("loop" as const),
        times: fc.integer({ min: 1, max: 3 }),
        body: tie("statements"),
      }),
    },
  ) as fc.Arbitrary<Statement>,
}));

export const randomProgram: fc.Arbitrary<RandomProgram> = fc
  .array(statements, { minLength: 1, maxLength: 5, size: "max" })
  .map((parts) => parts.flat());

/** A module for the program: a socket filter with one subprogram. */
export function moduleOf(program: RandomProgram): IrModule {
  return { functions: [new Writer().main(program), subprogram()] };
}

class Writer {
  private nextValue = 0;
  private readonly blocks: Block[] = [];
  private open:
    | { id: number; parameters: readonly Value[]; instructions: { result?: Value; operation: Operation }[] }
    | undefined;
  private nextBlock = 0;
  private narrow: Value[] = [];
  private wide: Value[] = [];
  private readonly slots: readonly StackSlot[] = [
    { id: 0, size: 16, align: 8, name: "first" },
    { id: 1, size: 16, align: 8, name: "second" },
    { id: 2, size: 4, align: 4, name: "key" },
  ];
  private context: Value | undefined;

  main(program: RandomProgram): IrFunction {
    this.context = this.value("ptr");
    this.begin(this.nextBlock++, []);
    for (let i = 0; i < 4; i++) {
      const address = this.emit("ptr", { op: "stack", slot: this.slots[i >> 1]! });
      this.perform({
        op: "store",
        size: 8,
        space: "stack",
        address,
        offset: 8 * (i & 1),
        value: this.constant("i64", 0n),
      });
    }
    for (let i = 0; i < NARROW; i++)
      this.narrow.push(
        this.emit("i32", { op: "load", size: 4, signed: false, space: "map", address: this.data(), offset: 8 * i }),
      );
    for (let i = 0; i < WIDE; i++)
      this.wide.push(
        this.emit("i64", {
          op: "load",
          size: 8,
          signed: false,
          space: "map",
          address: this.data(),
          offset: 64 + 8 * i,
        }),
      );
    this.statements(program);
    if (this.open !== undefined) this.finish(this.narrow[0]!);
    return { name: "main", parameters: [this.context], blocks: this.blocks };
  }

  private value(type: ValueType): Value {
    return { id: this.nextValue++, type };
  }

  private emit(type: ValueType, operation: Operation): Value {
    const result = this.value(type);
    this.open!.instructions.push({ result, operation });
    return result;
  }

  private perform(operation: Operation): void {
    this.open!.instructions.push({ operation });
  }

  private constant(type: ValueType, value: bigint): Value {
    return this.emit(type, { op: "constant", value: type === "i32" ? BigInt.asUintN(32, value) : value });
  }

  private data(): Value {
    return this.emit("ptr", { op: "map-value", map: data, offset: 0 });
  }

  private begin(id: number, parameters: readonly Value[]): void {
    this.open = { id, parameters, instructions: [] };
  }

  private end(terminator: Terminator): void {
    const { id, parameters, instructions } = this.open!;
    this.blocks.push({ id, parameters, instructions, terminator });
    this.open = undefined;
  }

  private finish(result: Value): void {
    const store = (value: Value, size: AccessSize, at: number): void =>
      this.perform({ op: "store", size, space: "map", address: this.data(), offset: OUTPUT + 8 * at, value });
    this.narrow.forEach((value, i) => store(value, 4, i));
    this.wide.forEach((value, i) => store(value, 8, 3 + i));
    for (let i = 0; i < 4; i++) {
      const address = this.emit("ptr", { op: "stack", slot: this.slots[i >> 1]! });
      store(
        this.emit("i64", { op: "load", size: 8, signed: false, space: "stack", address, offset: 8 * (i & 1) }),
        8,
        6 + i,
      );
    }
    this.end({ op: "return", value: result });
  }

  private variables(): Value[] {
    return [...this.narrow, ...this.wide];
  }

  /** Opens a block with new values for all variables. */
  private join(id: number, extra: readonly Value[] = []): void {
    this.narrow = this.narrow.map(() => this.value("i32"));
    this.wide = this.wide.map(() => this.value("i64"));
    this.begin(id, [...this.variables(), ...extra]);
  }

  private statements(list: readonly Statement[]): void {
    for (const statement of list) {
      if (this.open === undefined) return;
      this.statement(statement);
    }
  }

  private statement(s: Statement): void {
    switch (s.kind) {
      case "assign":
        (s.wide ? this.wide : this.narrow)[s.index] = this.expression(s.value, s.wide ? "i64" : "i32");
        return;
      case "store": {
        const value = this.expression(s.value, s.size === 8 ? "i64" : "i32");
        this.perform({ op: "store", size: s.size, ...this.place(s.space, s.size, s.place), value });
        return;
      }
      case "if": {
        const type = s.wide ? "i64" : "i32";
        const left = this.expression(s.left, type);
        const right = this.expression(s.right, type);
        const [then, otherwise, after] = [this.nextBlock++, this.nextBlock++, this.nextBlock++];
        this.end({
          op: "branch",
          comparison: s.comparison,
          left,
          right,
          then: { block: then, arguments: [] },
          else: { block: otherwise, arguments: [] },
        });
        const before = [this.narrow, this.wide] as const;
        let reached = false;
        for (const [block, body] of [
          [then, s.then],
          [otherwise, s.else],
        ] as const) {
          [this.narrow, this.wide] = [[...before[0]], [...before[1]]];
          this.begin(block, []);
          this.statements(body);
          if (this.open === undefined) continue;
          this.end({ op: "jump", target: { block: after, arguments: this.variables() } });
          reached = true;
        }
        if (reached) this.join(after);
        return;
      }
      case "loop": {
        const [head, body, after] = [this.nextBlock++, this.nextBlock++, this.nextBlock++];
        this.end({ op: "jump", target: { block: head, arguments: [...this.variables(), this.constant("i32", 0n)] } });
        const counter = this.value("i32");
        this.join(head, [counter]);
        const state = [this.narrow, this.wide] as const;
        const limit = this.constant("i32", BigInt(s.times));
        this.end({
          op: "branch",
          comparison: "lt",
          left: counter,
          right: limit,
          then: { block: body, arguments: [] },
          else: { block: after, arguments: [] },
        });
        [this.narrow, this.wide] = [[...state[0]], [...state[1]]];
        this.begin(body, []);
        this.statements(s.body);
        if (this.open !== undefined) {
          const one = this.constant("i32", 1n);
          const next = this.emit("i32", { op: "binary", operator: "add", left: counter, right: one });
          this.end({ op: "jump", target: { block: head, arguments: [...this.variables(), next] } });
        }
        [this.narrow, this.wide] = [[...state[0]], [...state[1]]];
        this.begin(after, []);
        return;
      }
      case "load-bytes": {
        const { address, offset } = this.place("stack", 8, s.place);
        const to = this.emit("ptr", {
          op: "binary",
          operator: "add",
          left: address,
          right: this.constant("i64", BigInt(offset)),
        });
        const list = [this.context!, this.constant("i32", 4n), to, this.constant("i32", 8n)];
        this.emit("i64", {
          op: "call",
          helper: helperNumber("bpf_skb_load_bytes")!,
          name: "bpf_skb_load_bytes",
          arguments: list,
          effects: { reads: [0] },
        });
        return;
      }
      case "lookup": {
        const key = this.emit("ptr", { op: "stack", slot: this.slots[2]! });
        this.perform({
          op: "store",
          size: 4,
          space: "stack",
          address: key,
          offset: 0,
          value: this.expression(s.key, "i32"),
        });
        const map = this.emit("ptr", { op: "map", map: data });
        const found = this.emit("ptr", {
          op: "call",
          helper: helperNumber("bpf_map_lookup_elem")!,
          name: "bpf_map_lookup_elem",
          arguments: [map, key],
          effects: { removable: true, reads: [0, 1] },
        });
        const [then, after] = [this.nextBlock++, this.nextBlock++];
        const before = this.variables();
        this.end({
          op: "branch",
          comparison: "ne",
          left: found,
          right: this.constant("ptr", 0n),
          then: { block: then, arguments: [] },
          else: { block: after, arguments: before },
        });
        this.begin(then, []);
        const loaded = this.emit("i64", {
          op: "load",
          size: 8,
          signed: false,
          space: "map",
          address: found,
          offset: 8 * s.wide,
        });
        const changed = [...before];
        changed[NARROW + s.wide] = loaded;
        this.end({ op: "jump", target: { block: after, arguments: changed } });
        this.join(after);
        return;
      }
      case "atomic": {
        const type = s.size === 8 ? "i64" : "i32";
        const value = this.expression(s.value, type);
        const operation: Operation = {
          op: "atomic",
          operator: s.operator,
          fetch: s.fetch || s.operator === "exchange",
          size: s.size,
          ...this.place("map", s.size, s.place),
          value,
        };
        if (!operation.fetch) this.perform(operation);
        else (s.size === 8 ? this.wide : this.narrow)[s.index] = this.emit(type, operation);
        return;
      }
      case "subprogram":
        this.wide[s.index] = this.emit("i64", {
          op: "call-function",
          name: "helping",
          arguments: [this.expression(s.value, "i64"), this.narrow[s.index]!],
        });
        return;
      case "return":
        this.finish(this.expression(s.value, "i32"));
    }
  }

  private place(
    space: "stack" | "map",
    size: AccessSize,
    place: number,
  ): { space: "stack" | "map"; address: Value; offset: number } {
    const offset = (place * 8 + (place & 7)) & 15 & ~(size - 1);
    if (space === "stack")
      return { space, address: this.emit("ptr", { op: "stack", slot: this.slots[place & 1]! }), offset };
    return { space, address: this.data(), offset: offset + (place & 4) * 16 };
  }

  private expression(e: Expression, type: "i32" | "i64"): Value {
    switch (e.kind) {
      case "constant":
        return this.constant(type, e.value);
      case "variable":
        return (type === "i64" ? this.wide : this.narrow)[e.index]!;
      case "binary": {
        const left = this.expression(e.left, type);
        return this.emit(type, { op: "binary", operator: e.operator, left, right: this.expression(e.right, type) });
      }
      case "negate":
        return this.emit(type, { op: "negate", operand: this.expression(e.operand, type) });
      case "byteswap":
        return this.emit(type, {
          op: "byteswap",
          bits: type === "i64" && e.bits === 32 ? 64 : e.bits,
          operand: this.expression(e.operand, type),
        });
      case "extend":
        return this.emit(type, {
          op: "extend",
          bits: e.bits,
          signed: e.signed,
          operand: this.expression(e.operand, type),
        });
      case "convert":
        return type === "i32"
          ? this.emit("i32", { op: "truncate", operand: this.expression(e.operand, "i64") })
          : this.emit("i64", { op: "extend", bits: 32, signed: false, operand: this.expression(e.operand, "i32") });
      case "compare": {
        const width = e.wide ? "i64" : "i32";
        const left = this.expression(e.left, width);
        const result = this.emit("i32", {
          op: "compare",
          comparison: e.comparison,
          left,
          right: this.expression(e.right, width),
        });
        return type === "i32" ? result : this.emit("i64", { op: "extend", bits: 32, signed: false, operand: result });
      }
      case "load": {
        const size = type === "i32" && e.size === 8 ? 4 : e.size;
        return this.emit(type, {
          op: "load",
          size,
          signed: e.signed && size < 8,
          ...this.place(e.space, size, e.place),
        });
      }
    }
  }
}

/** (x, y) → x * 3 + y, or x - 1 where y is 0. */
function subprogram(): IrFunction {
  const value = (id: number, type: ValueType): Value => ({ id, type });
  const [x, y, three, product, wide, sum, one, less, zero] = [
    value(0, "i64"),
    value(1, "i32"),
    value(2, "i64"),
    value(3, "i64"),
    value(4, "i64"),
    value(5, "i64"),
    value(6, "i64"),
    value(7, "i64"),
    value(8, "i32"),
  ] as const;
  return {
    name: "helping",
    parameters: [x, y],
    blocks: [
      {
        id: 0,
        parameters: [],
        instructions: [{ result: zero, operation: { op: "constant", value: 0n } }],
        terminator: {
          op: "branch",
          comparison: "eq",
          left: y,
          right: zero,
          then: { block: 2, arguments: [] },
          else: { block: 1, arguments: [] },
        },
      },
      {
        id: 1,
        parameters: [],
        instructions: [
          { result: three, operation: { op: "constant", value: 3n } },
          { result: product, operation: { op: "binary", operator: "mul", left: x, right: three } },
          { result: wide, operation: { op: "extend", bits: 32, signed: false, operand: y } },
          { result: sum, operation: { op: "binary", operator: "add", left: product, right: wide } },
        ],
        terminator: { op: "return", value: sum },
      },
      {
        id: 2,
        parameters: [],
        instructions: [
          { result: one, operation: { op: "constant", value: 1n } },
          { result: less, operation: { op: "binary", operator: "sub", left: x, right: one } },
        ],
        terminator: { op: "return", value: less },
      },
    ],
  };
}
