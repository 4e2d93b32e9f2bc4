import { colorsFor } from "./colors.ts";
import { UsageError } from "./errors.ts";
import { isRefusal, refusalText } from "./verifier-report.ts";

const colors = colorsFor(process.stderr);

/** Prints an error for people and returns the exit code. */
export function reportError(error: unknown): 1 | 2 {
  if (isRefusal(error)) {
    process.stderr.write(`${colors.red("error:")} ${refusalText(error, colors)}`);
    return 1;
  }
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`${colors.red("error:")} ${message}\n`);
  // Errors of every layer may have a hint.
  const hint = error instanceof Error && "hint" in error ? error.hint : undefined;
  if (typeof hint === "string") process.stderr.write(`${colors.cyan("hint:")} ${hint}\n`);
  if (process.env["TSBPF_DEBUG"] && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  return error instanceof UsageError ? 2 : 1;
}
