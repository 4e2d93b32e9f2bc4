/**
 * Makes several steps all-or-nothing: each step says how it is taken back, and
 * a failure takes back those that were made, the last one first.
 */
export class Undo {
  readonly #steps: (() => void)[] = [];
  readonly #closers: (() => void)[] = [];

  /** What takes the step back that was just made. */
  add(step: () => void): void {
    this.#steps.push(step);
  }

  /** What is to be let go in any case, when all is done or taken back. */
  afterwards(close: () => void): void {
    this.#closers.push(close);
  }

  /** Runs `work`; when it throws, takes back what it had added, and throws the same error. */
  static run<T>(work: (undo: Undo) => T): T {
    const undo = new Undo();
    try {
      return work(undo);
    } catch (error) {
      undo.#rollBack(error);
      throw error;
    } finally {
      for (const close of undo.#closers) close();
    }
  }

  #rollBack(reason: unknown): void {
    const failures: unknown[] = [];
    for (const step of this.#steps.reverse()) {
      try {
        step();
      } catch (failure) {
        failures.push(failure);
      }
    }
    if (failures.length > 0)
      throw new AggregateError(
        [reason, ...failures],
        `${text(reason)}; and taking back what was done failed: ${failures.map(text).join("; ")}`,
      );
  }
}

const text = (error: unknown): string => (error instanceof Error ? error.message : String(error));
