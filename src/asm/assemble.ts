import { AsmError } from "./error.ts";
import { isLabel, type Instruction, type Item } from "./instruction.ts";
import { makeInstruction } from "./make.ts";
import {
  BPF_CALL,
  BPF_EXIT,
  BPF_JA,
  BPF_JMP,
  BPF_JMP32,
  BPF_PSEUDO_CALL,
  CALL,
  classOf,
  GOTO,
  GOTOL,
  LDDW,
  operationOf,
} from "./opcode.ts";

/** Options of `assemble`. */
export interface AssembleOptions {
  /**
   * Whether a jump whose target lies beyond 16 bits may become a `gotol` (Linux 6.6,
   * LLVM's `-mcpu=v4`). A conditional jump then becomes three instructions.
   * Default: false; such a jump is an error.
   */
  readonly longJumps?: boolean;
}

/** Instructions, and where their labels are. */
export interface Assembled {
  /** Jumps, calls and addresses of subprograms are resolved; maps and kernel functions stay open. */
  readonly instructions: Instruction[];
  /** By label, the index of its instruction (an `lddw` counts as one). */
  readonly labels: ReadonlyMap<string, number>;
}

/**
 * Resolves labels to offsets in slots; see `assembleWithLabels`.
 *
 * @example
 * ```ts
 * import { assemble, exit, jeq, label, mov, r0, r1 } from "tsbpf/asm";
 *
 * assemble([jeq(r1, 0, "out"), mov(r0, 1), label("out"), exit()]);
 * ```
 */
export function assemble(items: readonly Item[], options?: AssembleOptions): Instruction[] {
  return assembleWithLabels(items, options).instructions;
}

/**
 * Resolves labels to offsets in slots, and gives the place of each label.
 * @throws {AsmError} for a label that is missing or defined twice, and for an offset
 *   beyond 16 bits; the message names the label.
 *
 * @example
 * ```ts
 * import { assembleWithLabels, exit, jump, label } from "tsbpf/asm";
 *
 * assembleWithLabels([jump("out"), label("out"), exit()]).labels.get("out"); // 1
 * ```
 */
export function assembleWithLabels(items: readonly Item[], options: AssembleOptions = {}): Assembled {
  if (!items.some((item) => isLabel(item) || item.reference !== undefined))
    return { instructions: [...(items as readonly Instruction[])], labels: new Map() };
  const long = new Set<Item>();
  // A longer jump moves the rest apart, so another may need lengthening too.
  for (;;) {
    const places = layOut(items, long);
    const before = long.size;
    const instructions = resolve(items, places, long, options.longJumps === true);
    if (long.size === before)
      return { instructions, labels: new Map([...places].map(([name, { index }]) => [name, index])) };
  }
}

interface Place {
  /** Index of the instruction in the output. */
  readonly index: number;
  readonly slot: number;
}

function layOut(items: readonly Item[], long: ReadonlySet<Item>): Map<string, Place> {
  const places = new Map<string, Place>();
  let index = 0;
  let slot = 0;
  for (const item of items) {
    if (isLabel(item)) {
      if (places.has(item.label)) throw new AsmError(`label "${item.label}" is defined twice`);
      places.set(item.label, { index, slot });
    } else {
      const count = long.has(item) && item.opcode !== GOTO ? 3 : 1;
      index += count;
      slot += item.opcode === LDDW ? 2 : count;
    }
  }
  return places;
}

function resolve(
  items: readonly Item[],
  places: ReadonlyMap<string, Place>,
  long: Set<Item>,
  mayLengthen: boolean,
): Instruction[] {
  const instructions: Instruction[] = [];
  let slot = 0;
  for (const item of items) {
    if (isLabel(item)) continue;
    const { reference } = item;
    if (reference === undefined || (reference.kind !== "label" && reference.kind !== "function")) {
      instructions.push(item);
      slot += item.opcode === LDDW ? 2 : 1;
      continue;
    }
    const place = places.get(reference.name);
    if (place === undefined) throw new AsmError(`${where(item)}label "${reference.name}" is not defined`);
    const distance = place.slot - slot - 1;
    if (item.opcode === GOTOL || item.opcode === CALL || item.opcode === LDDW) {
      if (item.opcode === CALL && item.src !== BPF_PSEUDO_CALL) throw notAJump(item, reference.name);
      instructions.push(resolved(item, item.opcode, 0, distance));
      slot += item.opcode === LDDW ? 2 : 1;
    } else if (!isJump(item.opcode)) {
      throw notAJump(item, reference.name);
    } else if (long.has(item) && item.opcode === GOTO) {
      instructions.push(resolved(item, GOTOL, 0, distance));
      slot += 1;
    } else if (long.has(item)) {
      // Some conditions have no inverse, so: over the next jump to the long one, or over both.
      instructions.push(
        resolved(item, item.opcode, 1, item.immediate),
        makeInstruction(GOTO, 0, 0, 1, 0, undefined, undefined, item.source),
        makeInstruction(GOTOL, 0, 0, 0, distance - 2, undefined, undefined, item.source),
      );
      slot += 3;
    } else {
      if ((distance << 16) >> 16 !== distance) {
        if (!mayLengthen) {
          throw new AsmError(
            `${where(item)}label "${reference.name}" is ${distance} slots away, and a jump reaches -32768 to 32767: ` +
              "allow long jumps (gotol, Linux 6.6), or split the program into subprograms",
          );
        }
        long.add(item);
      }
      instructions.push(resolved(item, item.opcode, distance, item.immediate));
      slot += 1;
    }
  }
  return instructions;
}

/** Whether the offset field holds the target. */
function isJump(opcode: number): boolean {
  if (opcode === GOTO) return true;
  const cls = classOf(opcode);
  const operation = operationOf(opcode);
  return (
    (cls === BPF_JMP || cls === BPF_JMP32) && operation !== BPF_JA && operation !== BPF_CALL && operation !== BPF_EXIT
  );
}

const resolved = (item: Instruction, opcode: number, offset: number, immediate: number): Instruction =>
  makeInstruction(opcode, item.dst, item.src, offset, immediate, item.immediateHigh, undefined, item.source);

const notAJump = (item: Instruction, name: string): AsmError =>
  new AsmError(
    `${where(item)}the instruction with opcode 0x${item.opcode.toString(16)} refers to label "${name}", ` +
      "but is not a jump",
  );

const where = ({ source }: Instruction): string =>
  source === undefined ? "" : `${source.file}:${source.line}:${source.column}: `;
