import { closeSync } from "node:fs";

/**
 * A file descriptor that is ours to close. What it stands for lives in the
 * kernel as long as something refers to it: a descriptor, a pin, a link.
 *
 * It is not closed by the garbage collector: a number that was handed to the
 * kernel meanwhile could by then stand for something else.
 */
export class Fd {
  readonly #number: number;
  readonly #close: (number: number) => void;
  #open = true;

  /** @param close how it is closed, for a test without a kernel */
  constructor(number: number, close: (number: number) => void = closeSync) {
    this.#number = number;
    this.#close = close;
  }

  /**
   * The descriptor itself.
   * @throws {Error} after `close`, when the number may be somebody else's
   */
  get number(): number {
    if (!this.#open) throw new Error(`file descriptor ${this.#number} is used after it was closed`);
    return this.#number;
  }

  /** Closes it; a second call does nothing. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#close(this.#number);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
