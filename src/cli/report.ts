import { CommanderError } from "commander";
import { colorsFor } from "./colors.ts";
import { UsageError } from "./errors.ts";
import { toJson } from "./output.ts";
import { isRefusal, refusalText } from "./verifier-report.ts";

const colors = colorsFor(process.stderr);

/** Prints an error on standard error, for people or as one JSON object, and returns the exit code. */
export function reportError(error: unknown, json = false): 1 | 2 {
  process.stderr.write(json ? `${toJson({ error: described(error) })}\n` : errorText(error));
  if (process.env["TSBPF_DEBUG"] && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  return error instanceof UsageError || error instanceof CommanderError ? 2 : 1;
}

function errorText(error: unknown): string {
  if (isRefusal(error)) return `${colors.red("error:")} ${refusalText(error, colors)}`;
  const { message, hint } = described(error);
  return `${colors.red("error:")} ${message}\n${hint === undefined ? "" : `${colors.cyan("hint:")} ${hint}\n`}`;
}

/** An error as `--json` prints it. */
interface Description {
  readonly message: string;
  readonly hint?: string | undefined;
  /** `ConfigError`, `BpfError`, … */
  readonly name?: string;
  /** `EPERM`, … */
  readonly code?: string | undefined;
  /** The mistakes of a configuration file, with their positions. */
  readonly problems?: readonly unknown[] | undefined;
  /** The verifier's reason, and the place in TypeScript. */
  readonly reason?: string | undefined;
  readonly source?: unknown;
}

function described(error: unknown): Description {
  if (!(error instanceof Error)) return { message: String(error) };
  if (error instanceof CommanderError)
    return { name: "UsageError", message: error.message.replace(/^error: /, "").replace("(outputHelp)", NO_COMMAND) };
  const { hint, code, problems, reason, source } = error as Error & Omit<Description, "message">;
  return {
    name: error.name,
    message: error.message,
    hint: typeof hint === "string" ? hint : undefined,
    code: typeof code === "string" ? code : undefined,
    problems: Array.isArray(problems) ? problems : undefined,
    ...(isRefusal(error) ? { reason, source } : {}),
  };
}

const NO_COMMAND = "a command is missing";
