/** Tests of passes: one function as text in, one out. */
import * as assert from "uvu/assert";
import type { IrFunction } from "../ir/ir.ts";
import { printFunction } from "../ir/print.ts";
import { validate } from "../ir/validate.ts";
import { parseFunction, type ParseOptions } from "./parse.ts";

/** Lines without indentation; empty lines are dropped. */
const normal = (text: string): string =>
  text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "")
    .join("\n");

/** The pass's result, validated before and after. */
export function rewritten(pass: (fn: IrFunction) => IrFunction, text: string, options?: ParseOptions): string {
  const before = parseFunction(text, options);
  validate(before, "as written in the test");
  const after = pass(before);
  validate(after, "as the pass left it");
  return printFunction(after);
}

/** Asserts that the pass turns the one function into the other. */
export function becomes(
  pass: (fn: IrFunction) => IrFunction,
  before: string,
  after: string,
  options?: ParseOptions,
): void {
  assert.fixture(normal(rewritten(pass, before, options)), normal(after));
}
