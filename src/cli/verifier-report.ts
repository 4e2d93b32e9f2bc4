import type { Colors } from "picocolors/types.js";

/** An error of the verifier's, by its form: what prints errors should not have to import the kernel's. */
export interface Refusal {
  readonly reason: string;
  summary(): string;
}

export const isRefusal = (error: unknown): error is Error & Refusal =>
  error instanceof Error && "reason" in error && "summary" in error && typeof error.summary === "function";

/** What the verifier refuses and what led there: the reason and the instruction at fault stand out on a terminal. */
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
