/** A failure of the load balancer that its user can understand and mend. */
export class LoadBalancerError extends Error {
  override readonly name: string = "LoadBalancerError";
  /** What to do about it. */
  readonly hint: string | undefined;

  constructor(message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.hint = options.hint;
  }
}
