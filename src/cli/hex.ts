/**
 * Bytes from text of hexadecimal digits, two for each byte; white space of any
 * kind is ignored.
 * @throws {RangeError} which says what is wrong with the text
 */
export function parseHex(text: string): Uint8Array {
  const digits = text.replaceAll(/\s+/g, "");
  const bad = /[^0-9a-fA-F]/.exec(digits);
  if (bad !== null) throw new RangeError(`${JSON.stringify(bad[0])} is no hexadecimal digit`);
  if (digits.length % 2 !== 0) throw new RangeError(`${digits.length} hexadecimal digits are no whole number of bytes`);
  return Uint8Array.from(Buffer.from(digits, "hex"));
}

/** Bytes as lower-case hexadecimal digits. */
export function formatHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex");
}
