/** Loading, attaching or pinning failed before the kernel was asked, or for a reason other than its refusal. */
export class LoaderError extends Error {
  override readonly name = "LoaderError";
  /** What to do about it. */
  readonly hint: string | undefined;

  constructor(message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.hint = options.hint;
  }
}
