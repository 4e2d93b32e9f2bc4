/** Something that cannot be assembled, encoded or decoded; the message says what, where and why. */
export class AsmError extends Error {
  override readonly name: string = "AsmError";
}
