import type { Colors } from "picocolors/types.js";

/** A verifier error, recognized by its shape, so that printing errors does not import the kernel folder. */
export interface Refusal {
  readonly reason: string;
  summary(): string;
}

export const isRefusal = (error: unknown): error is Error & Refusal =>
  error instanceof Error && "reason" in error && "summary" in error && typeof error.summary === "function";

/** The verifier's refusal and the steps before it; a terminal highlights the reason and the offending instruction. */
export function refusalText(error: Refusal, colors: Colors): string {
  const lines = error
    .summary()
    .split("\n")
    .map((line) => {
      if (line.startsWith(">")) return colors.bold(line);
      if (line.startsWith("hint: ")) return `${colors.cyan("hint:")} ${line.slice("hint: ".length)}`;
      return /^ +(\d+:|;)/.test(line) ? colors.dim(line) : line.replace(error.reason, (reason) => colors.red(reason));
    });
  return `${lines.join("\n")}\n`;
}
