/** An object file is malformed, or holds (or would have to hold) something unsupported. */
export class ElfError extends Error {
  override readonly name = "ElfError";
  /** The section concerned, if any. */
  readonly section: string | undefined;
  /** The symbol (function, map, variable) concerned, if any. */
  readonly symbol: string | undefined;

  constructor(reason: string, where: { section?: string; symbol?: string; cause?: unknown } = {}) {
    const place = [
      ...(where.section === undefined ? [] : [`section ${where.section || "(no name)"}`]),
      ...(where.symbol === undefined ? [] : [`symbol ${where.symbol || "(no name)"}`]),
    ];
    super(place.length === 0 ? reason : `${place.join(", ")}: ${reason}`, { cause: where.cause });
    this.section = where.section;
    this.symbol = where.symbol;
  }
}
