/** A failure that the user can understand and mend: printed as one line, never as a stack trace. Exit code 1. */
export class CommandError extends Error {
  override readonly name: string = "CommandError";
  /** What to do about it, printed on a line of its own. */
  readonly hint: string | undefined;

  constructor(message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.hint = options.hint;
  }
}

/** The command was called wrongly. Exit code 2. */
export class UsageError extends CommandError {
  override readonly name = "UsageError";
}
