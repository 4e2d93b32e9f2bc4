import { Region, type Guard } from "./region.ts";

/** Bytes of a function's stack frame (RFC 9669, section 2.1, and `MAX_BPF_STACK`). */
export const FRAME_SIZE = 512;

/**
 * A stack frame that tracks which bytes were written. The kernel's verifier refuses to read unwritten stack:
 * always before 6.1, and for unprivileged programs since.
 */
export class StackFrame extends Region {
  /** One bit per byte, the lowest address in the lowest bit. */
  readonly written: Uint8Array;
  /** The same memory as 4-byte words, for generated code. */
  readonly words: Int32Array;
  readonly #checkUnset: boolean;

  constructor(depth: number, checkUnset: boolean) {
    const bytes = new Uint8Array(FRAME_SIZE);
    const written = new Uint8Array(FRAME_SIZE / 8);
    super(
      depth === 0 ? "the stack" : `the stack frame of call depth ${depth}`,
      bytes,
      "read-write",
      new StackGuard(written, checkUnset),
    );
    this.written = written;
    this.#checkUnset = checkUnset;
    this.words = new Int32Array(bytes.buffer);
  }

  /** Prepares the frame for a function entry: no byte is written. If unwritten bytes may be read, they are zero. */
  clear(): void {
    if (!this.#checkUnset) this.bytes.fill(0);
    this.written.fill(0);
    this.gone = undefined;
  }
}

class StackGuard implements Guard {
  readonly #written: Uint8Array;
  readonly #checkUnset: boolean;

  constructor(written: Uint8Array, checkUnset: boolean) {
    this.#written = written;
    this.#checkUnset = checkUnset;
  }

  load(offset: number, size: number): string | undefined {
    if (!this.#checkUnset) return undefined;
    for (let at = offset; at < offset + size; at++) {
      if ((this.#written[at >> 3]! & (1 << (at & 7))) === 0) {
        return `byte r10${at - FRAME_SIZE} was never written`;
      }
    }
    return undefined;
  }

  store(): undefined {}

  stored(offset: number, size: number): void {
    for (let at = offset; at < offset + size; at++) this.#written[at >> 3]! |= 1 << (at & 7);
  }
}
