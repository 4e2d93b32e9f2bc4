import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { formatInstruction, type Instruction, opcodes as op, type SourceLocation } from "../asm/index.ts";
import type { Counters } from "./machine.ts";

/** A conditional jump, and how often each of its ways was gone. */
export interface BranchCoverage {
  /** Index of the jump in the program. */
  readonly index: number;
  readonly instruction: Instruction;
  readonly taken: number;
  readonly notTaken: number;
}

/** A line of TypeScript, and what of the instructions that it made has run. */
export interface LineCoverage {
  readonly source: SourceLocation;
  readonly instructions: number;
  readonly executedInstructions: number;
  /** How often the most frequent of its instructions ran. */
  readonly hits: number;
  readonly branches: readonly BranchCoverage[];
}

/** Which instructions of a program have run, and which ways its conditional jumps went, over any number of runs. */
export class Coverage {
  readonly #instructions: readonly Instruction[];
  readonly #executed: Float64Array;
  readonly #taken: Float64Array;

  /** Takes what has been counted by now. */
  constructor(instructions: readonly Instruction[], { executed, taken }: Counters) {
    this.#instructions = instructions;
    this.#executed = executed.slice();
    this.#taken = taken.slice();
  }

  /** Adds what other runs of the same program have covered. @throws {RangeError} for another program */
  merge(other: Coverage): void {
    if (other.#instructions !== this.#instructions)
      throw new RangeError("the coverage of another program cannot be added");
    other.#executed.forEach((count, index) => (this.#executed[index]! += count));
    other.#taken.forEach((count, index) => (this.#taken[index]! += count));
  }

  /** How often an instruction ran. */
  executions(index: number): number {
    return this.#executed[index] ?? 0;
  }

  /** Every conditional jump, in the order of the program. */
  get branches(): BranchCoverage[] {
    return this.#instructions.flatMap((instruction, index) =>
      isConditional(instruction)
        ? [{ index, instruction, taken: this.#taken[index]!, notTaken: this.#executed[index]! - this.#taken[index]! }]
        : [],
    );
  }

  /** Whether every instruction has run and every conditional jump has gone both ways. */
  get complete(): boolean {
    return (
      this.#executed.every((count) => count > 0) &&
      this.branches.every(({ taken, notTaken }) => taken > 0 && notTaken > 0)
    );
  }

  /** By line of TypeScript, in the order of file and line. Instructions of unknown origin are left out. */
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
   * A report as text: for each line how often it ran, what of it never did and
   * which way of its branches was never gone, then the sums.
   */
  report(): string {
    const branches = this.branches;
    const ways = branches.reduce((sum, { taken, notTaken }) => sum + Number(taken > 0) + Number(notTaken > 0), 0);
    const executed = this.#executed.reduce((sum, count) => sum + Number(count > 0), 0);
    const output: string[] = [];
    let file = "";
    for (const line of this.lines) {
      if (line.source.file !== file) output.push(fileName((file = line.source.file)));
      output.push(
        `${String(line.hits).padStart(9)}  ${String(line.source.line).padStart(5)}  ${remarks(line).join("; ")}`.trimEnd(),
      );
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
