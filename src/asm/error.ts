/** An error in assembly, encoding or decoding; the message says what, where and why. */
export class AsmError extends Error {
  override readonly name: string = "AsmError";
}
