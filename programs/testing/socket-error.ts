/** A system call of a client that failed. */
export class SocketError extends Error {
  override readonly name = "SocketError";
  /** `ECONNREFUSED` and the like; `ETIMEDOUT` also where nothing came in time. */
  readonly code: string;

  constructor(request: string, code: string) {
    super(`${request} failed: ${code}`);
    this.code = code;
  }
}

/** The errno with which a client's call fails; undefined where it does not. */
export async function errnoOf(call: Promise<unknown>): Promise<string | undefined> {
  try {
    await call;
    return undefined;
  } catch (error) {
    if (error instanceof SocketError) return error.code;
    throw error;
  }
}
