/** A failure that its reader can repair. The message names what was attempted, on what, and why it failed. */
export class HintedError extends Error {
  override readonly name: string = "HintedError";
  /** The repair. */
  readonly hint: string | undefined;

  constructor(message: string, options: { readonly hint?: string; readonly cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.hint = options.hint;
  }
}
