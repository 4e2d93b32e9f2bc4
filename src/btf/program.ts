import { type Instruction, isWide, type Program, type SourceLocation } from "../asm/index.ts";
import { BtfBuilder } from "./builder.ts";
import { contextStruct } from "./context.ts";
import type { BtfFeatures } from "./features.ts";
import { addScalar, identifier } from "./schema.ts";
import { sourcePath, SourceText } from "./source-text.ts";

/** Bytes of `struct bpf_func_info` and `struct bpf_line_info` (`linux/bpf.h`). */
export const FUNC_INFO_SIZE = 8;
export const LINE_INFO_SIZE = 16;

/** The function and the source line of each instruction, for `BPF_PROG_LOAD`. */
export interface ProgramBtf {
  /** For `BPF_BTF_LOAD`. */
  readonly btf: Uint8Array;
  /** Records of `struct bpf_func_info`; empty if the kernel lacks `func`. */
  readonly funcInfo: Uint8Array;
  readonly funcInfoRecordSize: typeof FUNC_INFO_SIZE;
  /** Records of `struct bpf_line_info`; empty if no instruction has a source. */
  readonly lineInfo: Uint8Array;
  readonly lineInfoRecordSize: typeof LINE_INFO_SIZE;
}

/** Options of a program's BTF. */
export interface ProgramBtfOptions {
  /** Features of the kernel; default: all. */
  readonly features?: BtfFeatures;
  /** Whether line_info carries the text of the lines, read from their files; true if absent. */
  readonly sourceText?: boolean;
}

/**
 * The BTF of a program: its functions' types, and its source lines.
 *
 * @example
 * ```ts
 * import { cgroup, PROCEED } from "tsbpf";
 * import { programBtf } from "tsbpf/btf";
 *
 * const { btf, lineInfo } = programBtf(cgroup.connect4("allow", () => PROCEED).compile());
 * console.log(btf.length, lineInfo.length);
 * ```
 */
export function programBtf(program: Program, options: ProgramBtfOptions = {}): ProgramBtf {
  const builder = new BtfBuilder();
  const functions = addFunctions(builder, program);
  const slots = slotOffsets(program.instructions);
  const funcInfo = options.features?.func === false ? [] : functions.map(({ start, type }) => [slots[start]!, type]);
  const lineInfo = lineRecords(builder, program, slots, options.sourceText ?? true);
  return {
    btf: builder.encode(options.features),
    funcInfo: words(funcInfo),
    funcInfoRecordSize: FUNC_INFO_SIZE,
    lineInfo: words(lineInfo.map(({ slot, file, text, position }) => [slot, file, text, position])),
    lineInfoRecordSize: LINE_INFO_SIZE,
  };
}

/**
 * Adds a `func` for each function of a program: `int name(struct CONTEXT *ctx)`
 * for the main one. Only the name of a subprogram is known; it is static, so the
 * verifier follows each call and does not trust the prototype.
 *
 * The verifier recognises a context by its struct's name, so an empty struct
 * does. It complains in its log about a forward declaration or a `void *`.
 */
export function addFunctions(builder: BtfBuilder, program: Program): { name: string; start: number; type: number }[] {
  const int = builder.add({ kind: "int", name: "int", size: 4, bits: 32, encoding: "signed" });
  const context = contextStruct(program.type);
  const parameters =
    context === undefined
      ? []
      : [
          {
            name: "ctx",
            type: builder.add({
              kind: "ptr",
              type: builder.add({ kind: "struct", name: context, size: 0, members: [] }),
            }),
          },
        ];
  return program.functions.map(({ name, start }, i) => {
    const type =
      i === 0
        ? builder.add({ kind: "func_proto", returns: int, parameters })
        : builder.add({ kind: "func_proto", returns: addScalar(builder, "u64"), parameters: [] });
    return {
      name,
      start,
      type: builder.add({ kind: "func", name: identifier(name), type, linkage: i === 0 ? "global" : "static" }),
    };
  });
}

/** The slot (8 bytes) at which each instruction begins; the last element is the number of slots. */
export function slotOffsets(instructions: readonly Instruction[]): number[] {
  let slot = 0;
  const offsets = instructions.map((instruction) => {
    const own = slot;
    slot += isWide(instruction) ? 2 : 1;
    return own;
  });
  offsets.push(slot);
  return offsets;
}

/** One record of line_info. */
export interface LineRecord {
  /** The instruction, counted in slots. */
  readonly slot: number;
  /** Offsets in the string section. */
  readonly file: number;
  readonly text: number;
  /** `line << 10 | column`. */
  readonly position: number;
}

/**
 * The line_info of a program. The kernel wants a record at the first instruction
 * of every function, or none at all, and rising slots. Instructions without a
 * source belong to the line before them.
 */
export function lineRecords(
  builder: BtfBuilder,
  program: Program,
  slots: readonly number[],
  sourceText: boolean,
): LineRecord[] {
  const { instructions, functions } = program;
  if (!instructions.some((instruction) => instruction.source !== undefined)) return [];
  const sources = new SourceText();
  const records: LineRecord[] = [];
  functions.forEach(({ start }, i) => {
    const end = functions[i + 1]?.start ?? instructions.length;
    let last = instructions.slice(start, end).find((instruction) => instruction.source !== undefined)?.source;
    records.push(record(builder, slots[start]!, last, sources, sourceText));
    for (let at = start; at < end; at++) {
      const source = instructions[at]!.source;
      if (source === undefined || samePlace(source, last)) continue;
      const next = record(builder, slots[at]!, source, sources, sourceText);
      last = source;
      if (records.at(-1)!.slot === next.slot) records.pop();
      records.push(next);
    }
  });
  return records;
}

function samePlace(a: SourceLocation, b: SourceLocation | undefined): boolean {
  return b !== undefined && a.line === b.line && a.column === b.column && a.file === b.file && a.text === b.text;
}

/** A line has 22 bits and a column 10; a larger number becomes 0. */
function record(
  builder: BtfBuilder,
  slot: number,
  source: SourceLocation | undefined,
  sources: SourceText,
  sourceText: boolean,
): LineRecord {
  if (source === undefined) return { slot, file: 0, text: 0, position: 0 };
  const line = source.line < 1 << 22 ? source.line : 0;
  const column = source.column < 1 << 10 ? source.column : 0;
  return {
    slot,
    file: builder.string(sourcePath(source.file)),
    text: sourceText ? builder.string(sources.line(source)) : 0,
    position: line * 1024 + column,
  };
}

function words(records: readonly (readonly number[])[]): Uint8Array {
  const flat = records.flat();
  const view = new DataView(new ArrayBuffer(4 * flat.length));
  flat.forEach((word, i) => view.setUint32(4 * i, word, true));
  return new Uint8Array(view.buffer);
}
