/**
 * Goes down the dominator tree, simplifies every operation, and where an equal
 * one was done before on every way, takes its result: constant propagation,
 * copy propagation and common subexpressions in one. Constants and the addresses
 * of slots and maps, which cost nothing until they are used, gather in the
 * entry. Loads stay: load-forwarding.ts.
 */
import { controlFlow, mapOperands, mapTerminator, valueCount, withoutUnreachable } from "../ir/analysis.ts";
import { invertedComparison, swappedComparison } from "../ir/comparison.ts";
import type { Block, Comparison, IrFunction, IrInstruction, Operation, Terminator, Value, ValueType } from "../ir/ir.ts";
import { SignificantBits } from "../ir/significant-bits.ts";
import { widthOf } from "./arithmetic.ts";
import { commutativeOperators, constantOf, simplify, simplifyComparison, type SimplifyContext } from "./simplify.ts";

export function numberValues(fn: IrFunction): IrFunction {
  return new Numbering(fn).run();
}

/** More rules than this in a row on one operation would be a circle of rules. */
const MAX_STEPS = 32;

class Numbering implements SimplifyContext {
  readonly bits: SignificantBits;
  private readonly fn: IrFunction;
  private nextId: number;
  /** By value id, the operation, as far as it is rewritten already. */
  private readonly operations: (Operation | undefined)[] = [];
  private readonly replacements: (Value | undefined)[] = [];
  /** Results of the operations done on the way from the entry to here. */
  private readonly available = new Map<string, Value>();
  /** Comparisons whose outcome the way to here decides. */
  private readonly decided = new Map<string, boolean>();
  private readonly anew: IrInstruction[] = [];
  private out: IrInstruction[] = [];
  private source: IrInstruction["source"];

  constructor(fn: IrFunction) {
    this.fn = fn;
    this.nextId = valueCount(fn);
    for (const { instructions } of fn.blocks) {
      for (const { result, operation } of instructions) if (result !== undefined) this.operations[result.id] = operation;
    }
    this.bits = new SignificantBits(fn, this);
  }

  operation(value: Value): Operation | undefined {
    return this.operations[value.id];
  }

  run(): IrFunction {
    const flow = controlFlow(this.fn);
    const done: Block[] = new Array(flow.blocks.length);
    type Step = { block: number } | { forget: readonly string[]; undecide: readonly string[] };
    const steps: Step[] = [{ block: 0 }];
    while (steps.length > 0) {
      const step = steps.pop()!;
      if ("forget" in step) {
        for (const key of step.forget) this.available.delete(key);
        for (const key of step.undecide) this.decided.delete(key);
        continue;
      }
      const block = flow.blocks[step.block]!;
      this.added = [];
      this.learned = [];
      const [only, ...others] = flow.predecessors[step.block]!;
      if (only !== undefined && others.length === 0) this.learn(done[only]!.terminator, block.id);
      done[step.block] = this.rewriteBlock(block);
      steps.push({ forget: this.added, undecide: this.learned });
      for (const child of flow.dominated[step.block]!) steps.push({ block: child });
    }
    const entry = done[0]!;
    done[0] = { ...entry, instructions: [...this.anew, ...entry.instructions] };
    // What was replaced after it had been read (round a loop) is put right at the end.
    const final = (value: Value): Value => this.replaced(value);
    const blocks = done.map((block): Block => ({
      ...block,
      instructions: block.instructions.map((instruction) => {
        const operation = mapOperands(instruction.operation, final);
        return operation === instruction.operation ? instruction : { ...instruction, operation };
      }),
      terminator: mapTerminator(block.terminator, final),
    }));
    if (blocks.length === this.fn.blocks.length && blocks.every((block, i) => isSameBlock(block, flow.blocks[i]!))) return this.fn;
    return withoutUnreachable({ ...this.fn, blocks });
  }

  private added: string[] = [];
  private learned: string[] = [];

  private replaced(value: Value): Value {
    for (let next; (next = this.replacements[value.id]) !== undefined;) value = next;
    return value;
  }

  private rewriteBlock(block: Block): Block {
    this.out = [];
    const change = (value: Value): Value => this.replaced(value);
    for (const instruction of block.instructions) {
      this.source = instruction.source;
      const operation = mapOperands(instruction.operation, change);
      if (instruction.result === undefined || !isPureOperation(operation)) {
        if (instruction.result !== undefined) this.operations[instruction.result.id] = operation;
        this.out.push(operation === instruction.operation ? instruction : { ...instruction, operation });
        continue;
      }
      const value = this.numbered(operation, instruction.result.type, instruction);
      if (value !== instruction.result) this.replacements[instruction.result.id] = value;
    }
    this.source = block.terminator.source;
    return { ...block, instructions: this.out, terminator: this.terminator(mapTerminator(block.terminator, change)) };
  }

  make(operation: Operation, type: ValueType): Value {
    return this.numbered(operation, type);
  }

  /** A value that holds the operation's result: one that is there already, or that of the instruction `as`, or a new one. */
  private numbered(operation: Operation, type: ValueType, as?: IrInstruction): Value {
    for (let step = 0; step < MAX_STEPS; step++) {
      const better = simplify(operation, type, this);
      if (better === undefined) break;
      if ("value" in better && !("op" in better)) return better.value;
      operation = better as Operation;
    }
    const decided = operation.op === "compare" ? this.decided.get(conditionKey(operation.comparison, operation.left, operation.right)) : undefined;
    if (decided !== undefined) operation = { op: "constant", value: decided ? 1n : 0n };
    const isAnew = isMadeAnew(operation);
    const key = operationKey(operation, type);
    const known = this.available.get(key);
    if (known !== undefined) return known;
    const result = as?.result ?? { id: this.nextId++, type };
    this.operations[result.id] = operation;
    this.available.set(key, result);
    const same = as?.operation === operation;
    if (isAnew) {
      // They are told apart by what they are, not by the line that named them first.
      this.anew.push(same && as.source === undefined ? as : { result, operation });
    } else {
      this.added.push(key);
      this.out.push(same ? as : { result, operation, ...(this.source !== undefined && { source: this.source }) });
    }
    return result;
  }

  private terminator(terminator: Terminator): Terminator {
    if (terminator.op !== "branch") return terminator;
    const source = terminator.source === undefined ? {} : { source: terminator.source };
    let { comparison, left, right, then, else: otherwise } = terminator;
    for (let step = 0; step < MAX_STEPS; step++) {
      const better = simplifyComparison(comparison, left, right, this);
      if (better === undefined) break;
      if (typeof better === "boolean") return { op: "jump", target: better ? then : otherwise, ...source };
      ({ comparison, left, right } = better);
      if (better.inverted) [then, otherwise] = [otherwise, then];
    }
    const decided = this.decided.get(conditionKey(comparison, left, right));
    if (decided !== undefined) return { op: "jump", target: decided ? then : otherwise, ...source };
    if (comparison === terminator.comparison && left === terminator.left && right === terminator.right && then === terminator.then) return terminator;
    return { op: "branch", comparison, left, right, then, else: otherwise, ...source };
  }

  /** What holds in a block that is only reached by one side of a branch. */
  private learn(terminator: Terminator, block: number): void {
    if (terminator.op !== "branch" || terminator.then.block === terminator.else.block) return;
    const { comparison, left, right } = terminator;
    const holds = terminator.then.block === block;
    const decide = (comparison: Comparison, answer: boolean): void => {
      for (const key of [conditionKey(comparison, left, right), conditionKey(swappedComparison[comparison], right, left)]) {
        if (this.decided.has(key)) continue;
        this.decided.set(key, answer);
        this.learned.push(key);
      }
    };
    decide(comparison, holds);
    if (comparison !== "set") decide(invertedComparison[comparison], !holds);
    const constant = constantOf(this, right);
    if (constant === undefined) return;
    // Equal to one constant is unlike every other.
    if ((comparison === "eq") === holds && (comparison === "eq" || comparison === "ne")) {
      this.decideEqual(left, constant);
    }
  }

  /** A value that equals a constant here: comparisons with other constants are decided too. */
  private decideEqual(value: Value, constant: bigint): void {
    for (const { result, operation } of this.anew) {
      if (result === undefined || operation.op !== "constant" || result.type !== value.type) continue;
      const equal = BigInt.asUintN(widthOf(value.type), operation.value) === constant;
      for (const [comparison, answer] of [["eq", equal], ["ne", !equal]] as const) {
        const key = conditionKey(comparison, value, result);
        if (this.decided.has(key)) continue;
        this.decided.set(key, answer);
        this.learned.push(key);
      }
    }
  }
}

const isSameBlock = (a: Block, b: Block): boolean =>
  a.terminator === b.terminator && a.instructions.length === b.instructions.length && a.instructions.every((instruction, i) => instruction === b.instructions[i]);

/** Costs nothing before it is used, and is made again wherever it is. */
export function isMadeAnew({ op }: Operation): boolean {
  return op === "constant" || op === "stack" || op === "map" || op === "map-value" || op === "function";
}

/** The same operands give the same result, whatever happened in between. */
function isPureOperation(o: Operation): boolean {
  switch (o.op) {
    case "binary": case "negate": case "byteswap": case "extend": case "truncate": case "compare": return true;
    case "call": return o.effects.pure === true;
    default: return isMadeAnew(o);
  }
}

const conditionKey = (comparison: Comparison, left: Value, right: Value): string => `${comparison} ${left.id} ${right.id}`;

function operationKey(o: Operation, type: ValueType): string {
  switch (o.op) {
    case "constant": return `${type} ${BigInt.asUintN(widthOf(type), o.value)}`;
    case "stack": return `stack ${o.slot.id}`;
    case "map": return `map ${o.map.name}`;
    case "map-value": return `map-value ${o.map.name} ${o.offset}`;
    case "function": return `function ${o.name}`;
    case "binary": {
      const [first, second] = commutativeOperators.has(o.operator) && o.left.id > o.right.id && o.left.type !== "ptr" ? [o.right, o.left] : [o.left, o.right];
      return `${type} ${o.operator} ${first.id} ${second.id}`;
    }
    case "negate": return `${type} negate ${o.operand.id}`;
    case "byteswap": return `${type} byteswap${o.bits} ${o.operand.id}`;
    case "extend": return `${type} extend${o.signed ? "s" : "u"}${o.bits} ${o.operand.id}`;
    case "truncate": return `truncate ${o.operand.id}`;
    case "compare": return conditionKey(o.comparison, o.left, o.right);
    case "call": return `${type} call ${o.helper} ${o.arguments.map(({ id }) => id).join(" ")}`;
    default: throw new Error(`${o.op} is not pure`);
  }
}

