/** Slots in a row, one for each backend of a service. */
export interface Range {
  /** Index of the first slot. */
  readonly base: number;
  readonly count: number;
}

/**
 * Which slots are free. A range is searched from where the last one was given
 * out (next fit), so that a slot comes into use again as late as can be: a
 * socket's remembered flow is told from a newer one by its service's base.
 */
export class FreeRanges {
  /** In ascending order, never adjacent, never empty. */
  readonly #free: { base: number; count: number }[] = [];
  #next: number;

  /**
   * @param size slots in all
   * @param used ranges in use; they may overlap, and what lies beyond `size` does not matter
   * @param next where to search from
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

  /** Where the next search begins. */
  get next(): number {
    return this.#next;
  }

  /** Free slots in all. */
  get total(): number {
    return this.#free.reduce((sum, { count }) => sum + count, 0);
  }

  /** Free slots in the longest row. */
  get largest(): number {
    return this.#free.reduce((max, { count }) => Math.max(max, count), 0);
  }

  /** Takes `count` (at least 1) slots in a row; undefined where no row is long enough. */
  take(count: number): Range | undefined {
    const start = this.#search(this.#next);
    for (let i = start; i < this.#free.length; i++) {
      const range = this.#free[i]!;
      // The first candidate may begin before the place that the search begins at.
      const base = Math.max(range.base, this.#next);
      if (base + count <= range.base + range.count) return this.#cut(i, base, count);
    }
    for (let i = 0; i <= start && i < this.#free.length; i++) {
      const range = this.#free[i]!;
      if (count <= range.count) return this.#cut(i, range.base, count);
    }
    return undefined;
  }

  /** Takes slots out of the free range `i`. */
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

  /** Index of the first free range that ends after `slot`. */
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
