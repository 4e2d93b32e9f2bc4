import { closeSync } from "node:fs";

/**
 * A file descriptor that we own. The kernel object behind it lives as long as a descriptor, a pin or a link
 * refers to it.
 *
 * The garbage collector does not close it, since the kernel may hold the number: after a late close, the number
 * could name another file.
 *
 * @example
 * ```ts
 * import { openCgroup, type Fd } from "tsbpf/kernel";
 *
 * using cgroup: Fd = openCgroup("/sys/fs/cgroup");
 * console.log(cgroup.number);
 * ```
 */
export class Fd {
  readonly #number: number;
  readonly #close: (number: number) => void;
  #open = true;

  /** @param close closes the number; for tests without a kernel */
  constructor(number: number, close: (number: number) => void = closeSync) {
    this.#number = number;
    this.#close = close;
  }

  /**
   * The descriptor.
   * @throws {Error} after `close`, since the number may name another file by then
   */
  get number(): number {
    if (!this.#open) throw new Error(`file descriptor ${this.#number} was used after it was closed`);
    return this.#number;
  }

  /** Closes the descriptor; a second call has no effect. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#close(this.#number);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
