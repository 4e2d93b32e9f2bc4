/** Loading, attaching or pinning cannot go on, for a reason outside of the kernel's own refusals. */
export class LoaderError extends Error {
  override readonly name = "LoaderError";
  /** What to do about it. */
  readonly hint: string | undefined;

  constructor(message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.hint = options.hint;
  }
}
