import { HintedError } from "../hinted-error.ts";

/** A failure that the user can fix: printed as one line, without a stack trace. Exit code 1. */
export class CommandError extends HintedError {
  override readonly name: string = "CommandError";
}

/** A usage error. Exit code 2. */
export class UsageError extends CommandError {
  override readonly name = "UsageError";
}
