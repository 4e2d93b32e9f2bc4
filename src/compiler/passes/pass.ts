import type { IrFunction } from "../ir/ir.ts";

/** A step of optimisation, or of lowering within the intermediate form. */
export interface Pass {
  /** Shown by `tsbpf build --emit ir`. */
  readonly name: string;
  /** Passes that leave this one nothing new to do: where only they changed the function, it need not run again. */
  readonly unmovedBy?: readonly Pass[];
  /** Returns the function rewritten, or the same object where nothing changed. Never changes its argument. */
  run(fn: IrFunction): IrFunction;
}
