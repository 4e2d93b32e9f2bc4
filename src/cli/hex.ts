/**
 * Reads hexadecimal digits, two per byte, ignoring white space.
 * @throws {RangeError} for other characters or an odd number of digits
 */
export function parseHex(text: string): Uint8Array {
  const digits = text.replaceAll(/\s+/g, "");
  const bad = /[^0-9a-fA-F]/.exec(digits);
  if (bad !== null) throw new RangeError(`${JSON.stringify(bad[0])} is not a hexadecimal digit`);
  if (digits.length % 2 !== 0)
    throw new RangeError(`${digits.length} hexadecimal digits are not a whole number of bytes`);
  return Uint8Array.from(Buffer.from(digits, "hex"));
}

/** Bytes as lower-case hexadecimal digits. */
export function formatHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex");
}
