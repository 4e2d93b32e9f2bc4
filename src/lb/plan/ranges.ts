/** A row of slots. */
export interface Range {
  /** Index of the first slot. */
  readonly base: number;
  readonly count: number;
}

/**
 * The free slots. Allocation is next fit: the search starts where the last one
 * ended, so that a slot is reused as late as possible.
 */
export class FreeRanges {
  /** Ascending, never adjacent, never empty. */
  readonly #free: { base: number; count: number }[] = [];
  #next: number;

  /**
   * @param size number of slots
   * @param used ranges in use; they may overlap or extend beyond `size`
   * @param next where the first search starts
   */
  constructor(size: number, used: readonly Range[], next = 0) {
    this.#next = next;
    let end = 0;
    for (const { base, count } of used.filter((range) => range.count > 0).sort((a, b) => a.base - b.base)) {
      if (base >= size) break;
      if (base > end) this.#free.push({ base: end, count: base - end });
      end = Math.max(end, base + count);
    }
    if (end < size) this.#free.push({ base: end, count: size - end });
  }

  /** Where the next search starts. */
  get next(): number {
    return this.#next;
  }

  /** Number of free slots. */
  get total(): number {
    return this.#free.reduce((sum, { count }) => sum + count, 0);
  }

  /** Length of the longest free row. */
  get largest(): number {
    return this.#free.reduce((max, { count }) => Math.max(max, count), 0);
  }

  /** Takes a row of `count` slots, at least 1; undefined if no free row is long enough. */
  take(count: number): Range | undefined {
    const start = this.#search(this.#next);
    for (let i = start; i < this.#free.length; i++) {
      const range = this.#free[i]!;
      // The first candidate may begin before the start of the search.
      const base = Math.max(range.base, this.#next);
      if (base + count <= range.base + range.count) return this.#cut(i, base, count);
    }
    for (let i = 0; i <= start && i < this.#free.length; i++) {
      const range = this.#free[i]!;
      if (count <= range.count) return this.#cut(i, range.base, count);
    }
    return undefined;
  }

  /** Takes slots from the free range `i`. */
  #cut(i: number, base: number, count: number): Range {
    const range = this.#free[i]!;
    const rest = [
      { base: range.base, count: base - range.base },
      { base: base + count, count: range.base + range.count - base - count },
    ].filter((part) => part.count > 0);
    this.#free.splice(i, 1, ...rest);
    this.#next = base + count;
    return { base, count };
  }

  /** Index of the first free range that ends after `slot` (binary search). */
  #search(slot: number): number {
    let low = 0;
    let high = this.#free.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const { base, count } = this.#free[middle]!;
      if (base + count > slot) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
