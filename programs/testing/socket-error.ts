/** The error for a failed system call of a client. */
export class SocketError extends Error {
  override readonly name = "SocketError";
  /** Name of the errno, such as `ECONNREFUSED`; `ETIMEDOUT` also if nothing arrived in time. */
  readonly code: string;

  constructor(request: string, code: string) {
    super(`${request} failed: ${code}`);
    this.code = code;
  }
}

/** The errno of a client's call; undefined if it succeeds. */
export async function errnoOf(call: Promise<unknown>): Promise<string | undefined> {
  try {
    await call;
    return undefined;
  } catch (error) {
    if (error instanceof SocketError) return error.code;
    throw error;
  }
}
