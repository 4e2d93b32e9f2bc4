import { isLabel, type Instruction, type Item } from "../instruction.ts";
import { LDDW } from "../opcode.ts";
import { formatInstruction, jumpOffset } from "./print.ts";

/** Options of `formatListing`. */
export interface ListingOptions {
  /**
   * Names by index of the instruction (an `lddw` counts as one): functions, known labels. Other targets are named `L1`,
   * `L2`, … in order of place.
   */
  readonly labels?: ReadonlyMap<number, string>;
  /**
   * Whether lines begin with the slot's number, as in the verifier's log. Default: false, so one more instruction does
   * not change every line after it.
   */
  readonly slots?: boolean;
  /**
   * A comment after an instruction, such as its source line; once for each run of
   * instructions with the same comment. Default: none.
   */
  readonly comment?: (instruction: Instruction) => string | undefined;
  /**
   * A comment on a line of its own before an instruction, once for each run of instructions with the same comment.
   * Default: none.
   */
  readonly heading?: (instruction: Instruction) => string | undefined;
}

const COMMENT_COLUMN = 48;

/**
 * A program as text: a line for each instruction, and labels for jumps. For review and
 * snapshots; `parseAssembly` reads it back.
 *
 * @example
 * ```ts
 * import { exit, formatListing, mov, r0 } from "tsbpf/asm";
 *
 * formatListing([mov(r0, 1), exit()]); // "  r0 = 1\n  exit\n"
 * ```
 */
export function formatListing(items: readonly Item[], options: ListingOptions = {}): string {
  const instructions = items.filter((item): item is Instruction => !isLabel(item));
  const names = nameTargets(instructions, options.labels ?? new Map());
  const width = String(instructions.length * 2).length;
  const lines: string[] = [];
  let slot = 0;
  let lastComment: string | undefined;
  let lastHeading: string | undefined;
  for (const item of items) {
    if (isLabel(item)) {
      lines.push(`${item.label}:`);
      continue;
    }
    const name = names.get(slot);
    if (name !== undefined) lines.push(`${name}:`);
    const heading = options.heading?.(item);
    if (heading !== undefined && heading !== lastHeading) lines.push(`; ${heading}`);
    lastHeading = heading;
    const offset = item.reference === undefined ? jumpOffset(item) : undefined;
    const target = offset === undefined ? undefined : names.get(slot + 1 + offset);
    const number = options.slots === true ? `${String(slot).padStart(width)}: ` : "";
    let line = `  ${number}${formatInstruction(item, target)}`;
    const comment = options.comment?.(item);
    if (comment !== undefined && comment !== lastComment) line = `${line.padEnd(COMMENT_COLUMN - 1)} ; ${comment}`;
    lastComment = comment;
    lines.push(line);
    slot += item.opcode === LDDW ? 2 : 1;
  }
  const end = names.get(slot);
  if (end !== undefined) lines.push(`${end}:`);
  return lines.map((line) => `${line}\n`).join("");
}

/** A name for each target of a jump, and for each slot that the caller has named. */
function nameTargets(
  instructions: readonly Instruction[],
  labels: ReadonlyMap<number, string>,
): ReadonlyMap<number, string> {
  const bySlot = new Map<number, string>();
  const places = new Set<number>();
  const targets: number[] = [];
  let slot = 0;
  instructions.forEach((instruction, index) => {
    places.add(slot);
    const label = labels.get(index);
    if (label !== undefined) bySlot.set(slot, label);
    const offset = instruction.reference === undefined ? jumpOffset(instruction) : undefined;
    if (offset !== undefined) targets.push(slot + 1 + offset);
    slot += instruction.opcode === LDDW ? 2 : 1;
  });
  places.add(slot);
  const taken = new Set(labels.values());
  let number = 0;
  for (const target of [...new Set(targets)].sort((a, b) => a - b)) {
    // A target outside the program, or inside an lddw, keeps its offset.
    if (bySlot.has(target) || !places.has(target)) continue;
    do number++;
    while (taken.has(`L${number}`));
    bySlot.set(target, `L${number}`);
  }
  return bySlot;
}
