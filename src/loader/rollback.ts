/**
 * Makes several steps all-or-nothing. Each step registers how to undo it; a failure undoes the completed steps,
 * last first.
 */
export class Rollback {
  readonly #steps: (() => void)[] = [];
  readonly #closers: (() => void)[] = [];

  /** Registers how to undo the step just made. */
  onFailure(step: () => void): void {
    this.#steps.push(step);
  }

  /** Registers a cleanup that always runs, after success or rollback. */
  finally(close: () => void): void {
    this.#closers.push(close);
  }

  /** Runs `work`. If it throws, undoes the registered steps and rethrows the error. */
  static run<T>(work: (rollback: Rollback) => T): T {
    const rollback = new Rollback();
    try {
      return work(rollback);
    } catch (error) {
      rollback.#undo(error);
      throw error;
    } finally {
      for (const close of rollback.#closers) close();
    }
  }

  #undo(reason: unknown): void {
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
        `${text(reason)}; and undoing earlier steps failed: ${failures.map(text).join("; ")}`,
      );
  }
}

const text = (error: unknown): string => (error instanceof Error ? error.message : String(error));
