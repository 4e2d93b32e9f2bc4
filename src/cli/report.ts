import pc from "picocolors";
import { CommandError, UsageError } from "./errors.ts";

/** Prints an error for a person and gives the process's exit code. */
export function reportError(error: unknown): 1 | 2 {
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`${pc.red("error:")} ${message}\n`);
  if (error instanceof CommandError && error.hint !== undefined) process.stderr.write(`${pc.cyan("hint:")} ${error.hint}\n`);
  if (process.env["TSBPF_DEBUG"] && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  return error instanceof UsageError ? 2 : 1;
}
