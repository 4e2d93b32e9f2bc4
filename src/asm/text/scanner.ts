import { AsmSyntaxError } from "./syntax-error.ts";

const NEWLINE = 10;
const HASH = 35;
const SLASH = 47;
const SEMICOLON = 59;

/** By character: 1 if it may continue a name, 3 if it may begin one too. */
const nameCharacters = new Uint8Array(128);
for (const character of "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_.$")
  nameCharacters[character.charCodeAt(0)] = 3;
for (const character of "0123456789@") nameCharacters[character.charCodeAt(0)] = 1;

export const isDigit = (code: number): boolean => code >= 48 && code <= 57;
const isName = (code: number): boolean => code < 128 && nameCharacters[code] !== 0;
const beginsName = (code: number): boolean => code < 128 && nameCharacters[code] === 3;

/** The value of a hexadecimal digit, or -1. */
export function hexDigit(code: number): number {
  if (code >= 48 && code <= 57) return code - 48;
  const lower = code | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}

/**
 * Scans assembly text. It works on character codes and makes no tokens, as it decides the
 * assembler's speed.
 */
export class Scanner {
  readonly text: string;
  readonly file: string | undefined;
  position = 0;
  /** The last number read, if beyond 2^53; else undefined. */
  wide: bigint | undefined = undefined;

  constructor(text: string, file: string | undefined) {
    this.text = text;
    this.file = file;
  }

  /** The current character; NaN at the end of the text. */
  code(): number {
    return this.text.charCodeAt(this.position);
  }

  /** Skips blanks and block comments within the line; returns the next character. */
  skip(): number {
    const { text } = this;
    for (;;) {
      const code = text.charCodeAt(this.position);
      if (code === 32 || code === 9 || code === 13) this.position++;
      else if (code === SLASH && text.charCodeAt(this.position + 1) === 42) this.skipBlockComment();
      else return code;
    }
  }

  private skipBlockComment(): void {
    const end = this.text.indexOf("*/", this.position + 2);
    if (end < 0) throw this.error("this comment is not closed: expected */");
    this.position = end + 2;
  }

  /** Whether only blanks and comments follow on this line. */
  atLineEnd(): boolean {
    const code = this.skip();
    return (
      code === NEWLINE ||
      Number.isNaN(code) ||
      code === SEMICOLON ||
      code === HASH ||
      (code === SLASH && this.text.charCodeAt(this.position + 1) === SLASH)
    );
  }

  /** Skips to the start of the next line. */
  skipLine(): void {
    const end = this.text.indexOf("\n", this.position);
    this.position = end < 0 ? this.text.length : end + 1;
  }

  /** Skips the given character, if it comes next after blanks. */
  accept(code: number): boolean {
    if (this.skip() !== code) return false;
    this.position++;
    return true;
  }

  expect(code: number, what: string): void {
    if (this.skip() !== code) throw this.expected(what);
    this.position++;
  }

  /** The name at this position, or "". */
  word(): string {
    if (!beginsName(this.skip())) return "";
    const { text, position: start } = this;
    let end = start + 1;
    while (isName(text.charCodeAt(end))) end++;
    this.position = end;
    return text.slice(start, end);
  }

  /** Skips the given word, if it comes next. */
  acceptWord(word: string): boolean {
    this.skip();
    const end = this.position + word.length;
    if (!this.text.startsWith(word, this.position) || isName(this.text.charCodeAt(end))) return false;
    this.position = end;
    return true;
  }

  /**
   * The register at this position: its number, plus 16 for `w` registers; -1 if there is
   * none.
   */
  register(): number {
    const letter = this.skip();
    if (letter !== 114 && letter !== 119) return -1;
    const { text, position } = this;
    const first = text.charCodeAt(position + 1);
    if (!isDigit(first)) return -1;
    let number = first - 48;
    let end = position + 2;
    for (let code = text.charCodeAt(end); isDigit(code); code = text.charCodeAt(++end))
      number = number * 10 + code - 48;
    if (isName(text.charCodeAt(end))) return -1;
    if (number > 10)
      throw this.error(`there is no register ${text.slice(position, end)}: expected r0 to r10, or w0 to w10`);
    this.position = end;
    return letter === 119 ? number + 16 : number;
  }

  /** Whether a number begins here. */
  atNumber(): boolean {
    const code = this.skip();
    return isDigit(code) || ((code === 45 || code === 43) && isDigit(this.text.charCodeAt(this.position + 1)));
  }

  /**
   * The whole number at this position, decimal or with `0x`, with an optional sign. Beyond
   * 2^53 its exact value is in `wide`.
   */
  number(what: string): number {
    if (!this.atNumber()) throw this.expected(what);
    const { text } = this;
    const start = this.position;
    const sign = text.charCodeAt(start);
    const negative = sign === 45;
    let end = negative || sign === 43 ? start + 1 : start;
    const digits = end;
    let value = 0;
    if (text.charCodeAt(end) === 48 && (text.charCodeAt(end + 1) | 32) === 120) {
      end += 2;
      for (let digit = hexDigit(text.charCodeAt(end)); digit >= 0; digit = hexDigit(text.charCodeAt(++end)))
        value = value * 16 + digit;
      if (end === digits + 2) throw this.expected("a hexadecimal digit", end);
    } else {
      for (let code = text.charCodeAt(end); isDigit(code); code = text.charCodeAt(++end))
        value = value * 10 + code - 48;
      // Other assemblers read a leading zero as octal.
      if (text.charCodeAt(digits) === 48 && end > digits + 1)
        throw this.expected("a decimal number without leading zeros, or one with 0x");
    }
    if (isName(text.charCodeAt(end))) throw this.expected("a digit", end);
    this.position = end;
    this.wide = undefined;
    if (value > Number.MAX_SAFE_INTEGER) {
      const exact = BigInt(text.slice(digits, end));
      this.wide = negative ? -exact : exact;
    }
    return negative ? -value : value;
  }

  /** The error for unexpected text at `position`. */
  expected(what: string, position = this.position): AsmSyntaxError {
    const rest = /^(?:[\w.$@]+|[^\s\w]{1,3})/.exec(this.text.slice(position, position + 40))?.[0];
    return this.error(
      `expected ${what}, but found ${rest === undefined ? "the end of the line" : JSON.stringify(rest)}`,
      position,
    );
  }

  error(problem: string, position = this.position): AsmSyntaxError {
    const before = this.text.slice(0, position);
    const lineStart = before.lastIndexOf("\n") + 1;
    return new AsmSyntaxError(problem, this.file, before.split("\n").length, position - lineStart + 1);
  }
}
