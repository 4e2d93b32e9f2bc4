import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { formatInstruction, type Instruction, opcodes as op, type SourceLocation } from "../asm/index.ts";
import type { Counters } from "./machine.ts";

/** A conditional jump, and how often it was taken and not taken. */
export interface BranchCoverage {
  /** Index of the jump in the program. */
  readonly index: number;
  readonly instruction: Instruction;
  readonly taken: number;
  readonly notTaken: number;
}

/** A line of TypeScript, and the coverage of its instructions. */
export interface LineCoverage {
  readonly source: SourceLocation;
  readonly instructions: number;
  readonly executedInstructions: number;
  /** Runs of its most frequent instruction. */
  readonly hits: number;
  readonly branches: readonly BranchCoverage[];
}

/**
 * Counts of executed instructions and of both outcomes of conditional jumps, over any number of runs.
 *
 * @example
 * ```ts
 * import { cgroup, PROCEED } from "tsbpf";
 * import { World } from "tsbpf/sim";
 *
 * const allow = cgroup.connect4("allow", () => PROCEED);
 * const world = new World();
 * world.run(allow);
 * console.log(world.coverage(allow).complete); // true
 * ```
 */
export class Coverage {
  readonly #instructions: readonly Instruction[];
  readonly #executed: Float64Array;
  readonly #taken: Float64Array;

  /** Copies the current counters. */
  constructor(instructions: readonly Instruction[], { executed, taken }: Counters) {
    this.#instructions = instructions;
    this.#executed = executed.slice();
    this.#taken = taken.slice();
  }

  /**
   * Adds the coverage of other runs of the same program.
   * @throws {RangeError} for another program
   */
  merge(other: Coverage): void {
    if (other.#instructions !== this.#instructions)
      throw new RangeError("cannot merge the coverage of another program");
    other.#executed.forEach((count, index) => (this.#executed[index]! += count));
    other.#taken.forEach((count, index) => (this.#taken[index]! += count));
  }

  /** The number of runs of an instruction, by its index. */
  executions(index: number): number {
    return this.#executed[index] ?? 0;
  }

  /** Every conditional jump, in program order. */
  get branches(): BranchCoverage[] {
    return this.#instructions.flatMap((instruction, index) =>
      isConditional(instruction)
        ? [{ index, instruction, taken: this.#taken[index]!, notTaken: this.#executed[index]! - this.#taken[index]! }]
        : [],
    );
  }

  /** Whether every instruction ran and every conditional jump went both ways. */
  get complete(): boolean {
    return (
      this.#executed.every((count) => count > 0) &&
      this.branches.every(({ taken, notTaken }) => taken > 0 && notTaken > 0)
    );
  }

  /** Coverage by line of TypeScript, sorted by file and line. Omits instructions without a source. */
  get lines(): LineCoverage[] {
    const lines = new Map<string, { source: SourceLocation; indexes: number[] }>();
    this.#instructions.forEach(({ source }, index) => {
      if (source === undefined) return;
      const key = `${source.file}:${source.line}`;
      const line = lines.get(key);
      if (line === undefined) lines.set(key, { source, indexes: [index] });
      else line.indexes.push(index);
    });
    const branches = new Map(this.branches.map((branch) => [branch.index, branch]));
    return [...lines.values()]
      .sort((a, b) =>
        a.source.file < b.source.file ? -1 : a.source.file > b.source.file ? 1 : a.source.line - b.source.line,
      )
      .map(({ source, indexes }) => ({
        source,
        instructions: indexes.length,
        executedInstructions: indexes.filter((index) => this.#executed[index]! > 0).length,
        hits: Math.max(...indexes.map((index) => this.#executed[index]!)),
        branches: indexes.flatMap((index) => branches.get(index) ?? []),
      }));
  }

  /**
   * A text report: for each line its hits, the instructions that never ran and the one-sided branches; then the
   * totals.
   */
  report(): string {
    const branches = this.branches;
    const ways = branches.reduce((sum, { taken, notTaken }) => sum + Number(taken > 0) + Number(notTaken > 0), 0);
    const executed = this.#executed.reduce((sum, count) => sum + Number(count > 0), 0);
    const output: string[] = [];
    let file = "";
    for (const line of this.lines) {
      if (line.source.file !== file) output.push(fileName((file = line.source.file)));
      const [hits, number] = [String(line.hits).padStart(9), String(line.source.line).padStart(5)];
      output.push(`${hits}  ${number}  ${remarks(line).join("; ")}`.trimEnd());
    }
    output.push(
      `instructions ${executed} of ${this.#instructions.length}`,
      `branches     ${ways} of ${2 * branches.length}`,
    );
    return `${output.join("\n")}\n`;
  }
}

function remarks(line: LineCoverage): string[] {
  const never = line.instructions - line.executedInstructions;
  if (line.executedInstructions === 0) return ["never run"];
  return [
    ...(never > 0 ? [`${never} of ${line.instructions} instructions never run`] : []),
    ...line.branches
      .filter(({ taken, notTaken }) => taken + notTaken > 0 && (taken === 0 || notTaken === 0))
      .map(
        ({ index, instruction, taken }) =>
          `${taken === 0 ? "never" : "always"} jumps at ${index}: ${formatInstruction(instruction)}`,
      ),
  ];
}

const fileName = (file: string): string => basename(file.startsWith("file:") ? fileURLToPath(file) : file);

function isConditional({ opcode }: Instruction): boolean {
  const cls = op.classOf(opcode);
  if (cls !== op.BPF_JMP && cls !== op.BPF_JMP32) return false;
  const operation = op.operationOf(opcode);
  return operation !== op.BPF_JA && operation !== op.BPF_CALL && operation !== op.BPF_EXIT;
}
