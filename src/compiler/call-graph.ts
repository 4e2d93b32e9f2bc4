/** The call graph of a program: depth of stack, and reachable functions. */
import { CompileError } from "./error.ts";
import type { IrFunction } from "./ir/ir.ts";
import { STACK_LIMIT } from "./machine/frame.ts";

/** The kernel rounds each frame of a call chain up to 32 bytes. */
const FRAME_STEP = 32;

/**
 * The most stack that a chain of calls needs, in bytes. Throws a CompileError for recursion, and for a chain over the
 * limit.
 */
export function checkCallDepth(functions: readonly IrFunction[], frames: ReadonlyMap<string, number>): number {
  const byName = new Map(functions.map((fn) => [fn.name, fn]));
  const deepest = new Map<string, { bytes: number; chain: readonly string[] }>();
  const visit = (fn: IrFunction, above: readonly string[]): { bytes: number; chain: readonly string[] } => {
    if (above.includes(fn.name))
      throw new CompileError(`${[...above, fn.name].join(" calls ")}: a BPF program can't recurse`);
    const known = deepest.get(fn.name);
    if (known !== undefined) return known;
    let below: { bytes: number; chain: readonly string[] } = { bytes: 0, chain: [] };
    for (const name of calledBy(fn)) {
      const chain = visit(byName.get(name)!, [...above, fn.name]);
      if (chain.bytes > below.bytes) below = chain;
    }
    const own = Math.max(frames.get(fn.name)!, 1);
    const result = { bytes: Math.ceil(own / FRAME_STEP) * FRAME_STEP + below.bytes, chain: [fn.name, ...below.chain] };
    deepest.set(fn.name, result);
    return result;
  };
  const main = functions[0]!;
  const { bytes, chain } = visit(main, []);
  if (chain.length === 1) return frames.get(main.name)!;
  if (bytes > STACK_LIMIT) {
    const frame = (name: string): string => `${name} (${frames.get(name)!} bytes)`;
    throw new CompileError(
      `${chain.map(frame).join(" calls ")}: together they need ${bytes} bytes of stack, ` +
        `but the limit is ${STACK_LIMIT}`,
    );
  }
  return bytes;
}

/** The main function, then the functions it calls, directly or not. The verifier refuses unreachable instructions. */
export function reachableFunctions(functions: readonly IrFunction[]): readonly IrFunction[] {
  const byName = new Map(functions.map((fn) => [fn.name, fn]));
  const reached = new Set<IrFunction>(functions.slice(0, 1));
  for (const fn of reached) {
    for (const name of calledBy(fn)) {
      const called = byName.get(name);
      if (called === undefined)
        throw new CompileError(`${fn.name} calls ${name}, which is not a function of this program`);
      reached.add(called);
    }
  }
  return [...reached];
}

function calledBy(fn: IrFunction): Set<string> {
  const names = new Set<string>();
  for (const { instructions } of fn.blocks) {
    for (const { operation } of instructions)
      if (operation.op === "call-function" || operation.op === "function") names.add(operation.name);
  }
  return names;
}
