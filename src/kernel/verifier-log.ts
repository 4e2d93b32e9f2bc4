/**
 * Reads the verifier's log: the reason, its instruction, and the steps before it. The log is meant for people
 * and differs between kernels, so nothing depends on a line's position. Each line is recognized by its form,
 * and a line of unknown form is a message.
 */

export interface VerifierLog {
  /** The verifier's objection, in its own words; several lines are joined by "; ". Empty if the log has none. */
  readonly reason: string;
  /** The slot (8 bytes) of the offending instruction, if known. */
  readonly slot: number | undefined;
  /** The last steps before the verifier stopped, oldest first. */
  readonly steps: readonly VerifierStep[];
  /** The kernel's own suggestion (Linux 7.3 and newer). */
  readonly suggestion: string | undefined;
}

/** An instruction that the verifier walked through. */
export interface VerifierStep {
  readonly slot: number;
  /** As the verifier prints it: `r0 = *(u32 *)(r1 +4)`. */
  readonly instruction: string;
  /** The known registers at this step, if the log has them: `R0_w=2 R10=fp0`. */
  readonly state: string | undefined;
  /** The step's source line, if the program was loaded with line_info. */
  readonly source: string | undefined;
}

const STEPS = 8;

/** `12: (b7) r0 = 2`; newer kernels append the changes: `; R0_w=2`. */
const INSTRUCTION = /^(\d+): \([0-9a-f]{2}\) (.*?)(?:\s+; (.*))?$/;
/** `12: R1=ctx() R10=fp0`, `from 3 to 12: R0=…`, or the registers alone. */
const STATE =
  /^(?:(\d+):|from \d+ to (\d+)(?: \(speculative execution\))?:)?\s*((?:frame\d+: )?R\d+(?:_\w+)?=.*|safe)$/;
/** Lines about the verifier's work rather than the program. */
const CHATTER = [
  /^;/,
  /^processed \d+ insns/,
  /^verification time/,
  /^stack depth/,
  /^(?:cur|old) state:/,
  /^mark_precise:/,
  /^last_idx \d+ first_idx/,
  /^regs=[0-9a-f]+ stack=/,
  /^parent (?:didn't|already)/,
  /^(?:propagating|caller|callee|returning from callee|to caller)\b/,
  /^func#\d+ @/,
  /^(?:Live regs|live regs)/,
  /^Validating .* func#/,
  /^Func#\d+ .* is safe/,
  /^(?:btf_vmlinux is malformed|Unrecognized arg#\d+ type)/,
  /^arg#\d+ /,
  /^\s+(?:\d+\s+)?\d+: [0-9.]+ \([0-9a-f]{2}\)/,
  /^\s*$/,
];
/**
 * Linux 7.3 and newer add a long explanation after the reason: a title line, then blocks of indented lines
 * under these headings.
 */
const TITLE = /^Verification failed: (.*)$/;
const HEADING = /^(Reason|At|Causal path|Suggestion):\s*$/;
/** `; the source line`; newer kernels append its place: ` @ file.ts:12`. */
const SOURCE = /^; (.*?)(?:\s?@ \S+:\d+)?$/;

/**
 * Reads a whole log, of any kernel from 5.10 on.
 *
 * @example
 * ```ts
 * import { load, VerifierError, type CompilableProgram } from "tsbpf";
 * import { parseVerifierLog } from "tsbpf/kernel";
 *
 * function lastSteps(program: CompilableProgram): void {
 *   try {
 *     load([program]).close();
 *   } catch (error) {
 *     if (error instanceof VerifierError) console.log(parseVerifierLog(error.log).steps.slice(-5));
 *   }
 * }
 * ```
 */
export function parseVerifierLog(log: string): VerifierLog {
  const steps: VerifierStep[] = [];
  const explanation = new Map<string, string[]>();
  let heading: string | undefined;
  let state: string | undefined;
  let source: string | undefined;
  let messages: string[] = [];
  for (const line of log.split("\n")) {
    const title = TITLE.exec(line);
    const next = title ? "Title" : HEADING.exec(line)?.[1];
    if (next !== undefined) {
      heading = next;
      explanation.set(heading, title ? [title[1]!] : []);
      continue;
    }
    if (heading !== undefined && !CHATTER.some((form) => form.test(line))) {
      explanation.get(heading)!.push(line.trim());
      continue;
    }
    const instruction = INSTRUCTION.exec(line);
    if (instruction) {
      steps.push({
        slot: Number(instruction[1]),
        instruction: instruction[2]!,
        state: instruction[3] ?? state,
        source,
      });
      state = undefined;
      messages = [];
      continue;
    }
    const registers = STATE.exec(line)?.[3];
    if (registers !== undefined) {
      if (registers !== "safe") state = registers;
      continue;
    }
    const text = SOURCE.exec(line)?.[1];
    if (text !== undefined) source = text === "" ? undefined : text;
    if (!CHATTER.some((form) => form.test(line))) messages.push(line.trim());
  }
  const explained = (under: string) => explanation.get(under)?.join(" ");
  const reason = messages.join("; ") || explained("Reason") || explained("Title") || "";
  const named = messages.length > 0 ? /\binsn (\d+)/.exec(reason) : /(?:>>>|\binsn) (\d+)/.exec(explained("At") ?? "");
  return {
    reason,
    slot: named ? Number(named[1]) : steps.at(-1)?.slot,
    steps: steps.slice(-STEPS),
    suggestion: explained("Suggestion"),
  };
}
