import { fileURLToPath } from "node:url";
import { isWide } from "../asm/encode.ts";
import type { Instruction, SourceLocation } from "../asm/instruction.ts";
import { BpfError } from "./bpf-error.ts";
import { parseVerifierLog, type VerifierStep } from "./verifier-log.ts";
import { verifierHint } from "./verifier-hints.ts";

/**
 * A program that the verifier refused. The message is short: the reason, and
 * where in TypeScript; `summary()` adds what led there, `log` is everything.
 */
export class VerifierError extends BpfError {
  override readonly name = "VerifierError";
  /** Everything that the verifier printed. */
  readonly log: string;
  /** What it objects to, in its own words. */
  readonly reason: string;
  /** Place of the instruction in 8-byte slots, as the log counts (an `lddw` takes two). */
  readonly slot: number | undefined;
  /** Place of the instruction in the program's list (an `lddw` is one). */
  readonly instructionIndex: number | undefined;
  /** The line of TypeScript that made the instruction. */
  readonly source: SourceLocation | undefined;
  /** The last steps before it stopped, oldest first. */
  readonly steps: readonly VerifierStep[];

  constructor(program: string, errno: number, log: string, instructions: readonly Instruction[] = []) {
    const { reason, slot, steps, suggestion } = parseVerifierLog(log);
    const instructionIndex = slot === undefined ? undefined : indexOfSlot(instructions, slot);
    const source = instructionIndex === undefined ? undefined : instructions[instructionIndex]?.source;
    super("BPF_PROG_LOAD", `program ${program}`, errno, {
      reason: `the verifier refuses it${slot === undefined ? "" : ` at instruction ${slot}`}${source ? ` (${sourceText(source)})` : ""}: ${reason}`,
      hint: verifierHint(reason) ?? suggestion,
    });
    this.log = log;
    this.reason = reason;
    this.slot = slot;
    this.instructionIndex = instructionIndex;
    this.source = source;
    this.steps = steps;
  }

  /** The message, the last steps with what the verifier knew there, and the hint: some ten lines. */
  summary(): string {
    const steps = this.steps.flatMap((step, i) => {
      const marker = step.slot === this.slot ? ">" : " ";
      const state = step.state === undefined ? "" : `  ; ${step.state}`;
      const source =
        step.source === undefined || step.source === this.steps[i - 1]?.source ? [] : [`  ; ${step.source}`];
      return [...source, `${marker} ${String(step.slot).padStart(5)}: ${step.instruction}${state}`];
    });
    return [this.message, ...steps, ...(this.hint === undefined ? [] : [`hint: ${this.hint}`])].join("\n");
  }
}

function indexOfSlot(instructions: readonly Instruction[], slot: number): number | undefined {
  let at = 0;
  for (let index = 0; index < instructions.length; index++) {
    if (at >= slot) return at === slot ? index : index - 1;
    at += isWide(instructions[index]!) ? 2 : 1;
  }
  return undefined;
}

function sourceText({ file, line, column }: SourceLocation): string {
  return `${file.startsWith("file:") ? fileURLToPath(file) : file}:${line}:${column}`;
}
