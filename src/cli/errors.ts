/** A failure that the user can fix: printed as one line, without a stack trace. Exit code 1. */
export class CommandError extends Error {
  override readonly name: string = "CommandError";
  /** What to do about it, printed on its own line. */
  readonly hint: string | undefined;

  constructor(message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.hint = options.hint;
  }
}

/** A usage error. Exit code 2. */
export class UsageError extends CommandError {
  override readonly name = "UsageError";
}
