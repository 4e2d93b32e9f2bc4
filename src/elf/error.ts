/** An object file that is malformed, or that holds or would have to hold something that is not supported. */
export class ElfError extends Error {
  override readonly name = "ElfError";
  /** The section that it is about, if it is about one. */
  readonly section: string | undefined;
  /** The symbol (function, map, variable) that it is about, if it is about one. */
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
