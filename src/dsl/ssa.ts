import type { SourceLocation } from "../asm/index.ts";
import type {
  Block,
  Comparison,
  IrFunction,
  IrInstruction,
  Operation,
  StackSlot,
  Target,
  Terminator,
  Value,
  ValueType,
} from "../compiler/index.ts";

/** A name whose value may change; block parameters join its values. */
export interface Variable {
  readonly type: ValueType;
}

/** A block while it is being written. */
export interface OpenBlock {
  readonly id: number;
  readonly parameters: Value[];
  readonly instructions: IrInstruction[];
  terminator?: Terminator;
  /** Blocks that jump here, once for each jump. */
  readonly predecessors: { readonly block: OpenBlock; readonly arguments: Value[] }[];
  /** All predecessors are known. */
  sealed: boolean;
  /** Unreachable: instructions written here are dropped. */
  dead: boolean;
  readonly definitions: Map<Variable, Value>;
  /** Parameters that wait for the block to be sealed. */
  readonly pending: Map<Variable, Value>;
}

/**
 * Writes one function in SSA form, block by block, as the program's structured
 * control flow unfolds. Variables become block parameters on the fly (Braun et
 * al., "Simple and Efficient Construction of Static Single Assignment Form").
 */
export class SsaBuilder {
  readonly #blocks: OpenBlock[] = [];
  #nextValue = 0;
  #nextSlot = 0;
  #current: OpenBlock;
  readonly name: string;
  readonly parameters: readonly Value[];

  constructor(name: string, parameters: readonly ValueType[]) {
    this.name = name;
    this.parameters = parameters.map((type) => this.#value(type));
    this.#current = this.createBlock();
    this.#current.sealed = true;
  }

  #value(type: ValueType): Value {
    return { id: this.#nextValue++, type };
  }

  get current(): OpenBlock {
    return this.#current;
  }

  createBlock(): OpenBlock {
    const block: OpenBlock = {
      id: this.#blocks.length,
      parameters: [],
      instructions: [],
      predecessors: [],
      sealed: false,
      dead: false,
      definitions: new Map(),
      pending: new Map(),
    };
    this.#blocks.push(block);
    return block;
  }

  /** Continues in `block`, which gets no further jumps. */
  enter(block: OpenBlock): void {
    this.enterLoop(block);
    this.seal(block);
  }

  /** Continues in `block`, which gets jumps from further down; `seal` ends them. */
  enterLoop(block: OpenBlock): void {
    this.#current = block;
    block.dead = block.predecessors.length === 0;
  }

  seal(block: OpenBlock): void {
    if (block.sealed) return;
    block.sealed = true;
    for (const [variable, parameter] of block.pending) this.#fillParameter(block, variable, parameter);
    block.pending.clear();
  }

  emit(operation: Operation, type: ValueType, source: SourceLocation | undefined): Value {
    const result = this.#value(type);
    this.#current.instructions.push(source === undefined ? { result, operation } : { result, operation, source });
    return result;
  }

  emitVoid(operation: Operation, source: SourceLocation | undefined): void {
    this.#current.instructions.push(source === undefined ? { operation } : { operation, source });
  }

  stackSlot(size: number, align: number, name: string): StackSlot {
    return { id: this.#nextSlot++, size, align, name };
  }

  jump(to: OpenBlock, source: SourceLocation | undefined): void {
    this.#terminate({ op: "jump", target: this.#target(to), source });
  }

  branch(
    comparison: Comparison,
    left: Value,
    right: Value,
    then: OpenBlock,
    otherwise: OpenBlock,
    source: SourceLocation | undefined,
  ): void {
    this.#terminate({
      op: "branch",
      comparison,
      left,
      right,
      then: this.#target(then),
      else: this.#target(otherwise),
      source,
    });
  }

  return(value: Value, source: SourceLocation | undefined): void {
    this.#terminate({ op: "return", value, source });
  }

  #target(block: OpenBlock): Target {
    const target = { block: block.id, arguments: [] as Value[] };
    if (!this.#current.dead) block.predecessors.push({ block: this.#current, arguments: target.arguments });
    return target;
  }

  /** Ends the current block; instructions before the next `enter` are dropped. */
  #terminate(terminator: Terminator): void {
    this.#current.terminator = terminator;
    this.#current = this.createBlock();
    this.#current.sealed = true;
    this.#current.dead = true;
  }

  write(variable: Variable, value: Value): void {
    this.#current.definitions.set(variable, value);
  }

  read(variable: Variable): Value {
    return this.#readIn(this.#current, variable);
  }

  #readIn(block: OpenBlock, variable: Variable): Value {
    const known = block.definitions.get(variable);
    if (known !== undefined) return known;
    let value: Value;
    if (!block.sealed) {
      value = this.#addParameter(block, variable);
      block.pending.set(variable, value);
    } else if (block.predecessors.length === 1) {
      value = this.#readIn(block.predecessors[0]!.block, variable);
    } else if (block.predecessors.length === 0) {
      // Only unreachable code gets here, and it is dropped.
      value = this.#value(variable.type);
    } else {
      value = this.#addParameter(block, variable);
      block.definitions.set(variable, value);
      this.#fillParameter(block, variable, value);
    }
    block.definitions.set(variable, value);
    return value;
  }

  #addParameter(block: OpenBlock, variable: Variable): Value {
    const parameter = this.#value(variable.type);
    block.parameters.push(parameter);
    return parameter;
  }

  #fillParameter(block: OpenBlock, variable: Variable, parameter: Value): void {
    const position = block.parameters.indexOf(parameter);
    for (const predecessor of block.predecessors) {
      predecessor.arguments[position] = this.#readIn(predecessor.block, variable);
    }
  }

  /** The function without unreachable blocks. Every reachable block must have ended. */
  finish(): IrFunction {
    const reachable = new Set<number>();
    const work = [0];
    while (work.length > 0) {
      const id = work.pop()!;
      if (reachable.has(id)) continue;
      reachable.add(id);
      const terminator = this.#blocks[id]!.terminator;
      if (terminator?.op === "jump") work.push(terminator.target.block);
      if (terminator?.op === "branch") work.push(terminator.else.block, terminator.then.block);
    }
    const blocks: Block[] = [];
    for (const { id, parameters, instructions, terminator } of this.#blocks) {
      if (reachable.has(id)) blocks.push({ id, parameters, instructions, terminator: terminator! });
    }
    return { name: this.name, parameters: this.parameters, blocks };
  }
}
