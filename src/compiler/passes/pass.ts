import type { IrFunction } from "../ir/ir.ts";

/** A step of optimisation, or of lowering within the intermediate form. */
export interface Pass {
  /** Shown by `tsbpf build --emit ir`. */
  readonly name: string;
  /** Passes that create no work for this one: it need not run again if only they changed the function. */
  readonly unmovedBy?: readonly Pass[];
  /** Returns the rewritten function, or the same object where nothing changed. Never changes its argument. */
  run(fn: IrFunction): IrFunction;
}
