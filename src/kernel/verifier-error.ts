import { fileURLToPath } from "node:url";
import { type Instruction, isWide, type SourceLocation } from "../asm/index.ts";
import { BpfError } from "./bpf-error.ts";
import { parseVerifierLog, type VerifierStep } from "./verifier-log.ts";
import { verifierHint } from "./verifier-hints.ts";

/**
 * The verifier refused a program. The message is short: the reason and its place in TypeScript. `summary()`
 * adds the steps that led there; `log` is complete.
 */
export class VerifierError extends BpfError {
  override readonly name = "VerifierError";
  /** The verifier's whole log. */
  readonly log: string;
  /** The verifier's objection, in its own words; after what this kernel lacks, where that is the cause. */
  readonly reason: string;
  /** The instruction's position in 8-byte slots, as the log counts (an `lddw` takes two). */
  readonly slot: number | undefined;
  /** The instruction's index in the program's list (an `lddw` counts once). */
  readonly instructionIndex: number | undefined;
  /** The TypeScript line that made the instruction. */
  readonly source: SourceLocation | undefined;
  /** The last steps before the verifier stopped, oldest first. */
  readonly steps: readonly VerifierStep[];

  constructor(program: string, errno: number, log: string, instructions: readonly Instruction[] = []) {
    const { reason: complaint, slot, steps, suggestion } = parseVerifierLog(log);
    const instructionIndex = slot === undefined ? undefined : indexOfSlot(instructions, slot);
    const instruction = instructionIndex === undefined ? undefined : instructions[instructionIndex];
    const source = instruction?.source;
    const missing = instruction?.reference?.kind === "missing" ? instruction.reference.name : undefined;
    const reason = missing === undefined ? complaint : `${missing} (${complaint})`;
    const where = `${slot === undefined ? "" : ` at instruction ${slot}`}${source ? ` (${sourceText(source)})` : ""}`;
    super("BPF_PROG_LOAD", `program ${program}`, errno, {
      reason: `the verifier refuses it${where}: ${reason}`,
      hint: missing === undefined ? (verifierHint(complaint) ?? suggestion) : MISSING_HINT,
    });
    this.log = log;
    this.reason = reason;
    this.slot = slot;
    this.instructionIndex = instructionIndex;
    this.source = source;
    this.steps = steps;
  }

  /** The message, the last steps with the verifier's state at each, and the hint: about ten lines. */
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

const MISSING_HINT =
  "the program gets there on this kernel: check first that it is there " +
  "(bpf_core_field_exists, bpf_core_type_exists, bpf_ksym_exists, …)";

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
