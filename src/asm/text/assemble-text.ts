import { assemble, type AssembleOptions } from "../assemble.ts";
import { encode, encodeAt, SLOT_SIZE } from "../encode.ts";
import { isLabel, type Instruction } from "../instruction.ts";
import { BPF_PSEUDO_FUNC, CALL, GOTOL, LDDW } from "../opcode.ts";
import { parseAssembly, readAssembly } from "./parse.ts";

/** Options of `assembleText`. */
export interface AssembleTextOptions extends AssembleOptions {
  /** The file's name, for errors. */
  readonly file?: string;
}

/** A jump, call or address with an unresolved label. */
interface Fixup {
  readonly instruction: Instruction;
  readonly name: string;
  /** Byte position of the instruction. */
  readonly position: number;
}

/**
 * Text to bytes: the same as `encode(assemble(parseAssembly(text)))`, in one pass that
 * keeps no instructions. This spares the garbage collector, which would take most of
 * the time.
 * @throws {AsmSyntaxError} as `parseAssembly`
 * @throws {AsmError} as `assemble`, with the place in the text
 *
 * @example
 * ```ts
 * import { assembleText } from "tsbpf/asm";
 *
 * assembleText("r0 = 1\nexit"); // 16 bytes
 * ```
 */
export function assembleText(text: string, { file, longJumps = false }: AssembleTextOptions = {}): Uint8Array {
  const places = new Map<string, number>();
  const fixups: Fixup[] = [];
  let view = new DataView(new ArrayBuffer(1 << 16));
  let position = 0;
  const { labels, symbols } = readAssembly(
    text,
    { ...(file === undefined ? {} : { file }), sources: false },
    (item) => {
      if (isLabel(item)) {
        places.set(item.label, position);
        return;
      }
      if (item.reference !== undefined) fixups.push({ instruction: item, name: item.reference.name, position });
      if (position + 2 * SLOT_SIZE > view.byteLength) view = grown(view);
      position = encodeAt(view, position, item);
    },
  );
  for (const { instruction, name, position } of fixups) {
    const kind = instruction.reference!.kind;
    if (kind !== "label" && kind !== "function" && !(symbols.has(instruction) && labels.has(name))) continue;
    const distance = (places.get(name)! - position) / SLOT_SIZE - 1;
    if (instruction.opcode === LDDW || instruction.opcode === CALL || instruction.opcode === GOTOL) {
      view.setInt32(position + 4, distance, true);
      if (instruction.opcode === LDDW) view.setUint8(position + 1, instruction.dst | (BPF_PSEUDO_FUNC << 4));
    } else if ((distance << 16) >> 16 === distance) {
      view.setInt16(position + 2, distance, true);
    } else {
      // Too far: the slow path gives a long jump, or the error with its place.
      return encode(assemble(parseAssembly(text, { file: file ?? "text" }), { longJumps }));
    }
  }
  return new Uint8Array(view.buffer, 0, position);
}

/** A buffer of twice the size with the same contents. */
function grown(view: DataView<ArrayBuffer>): DataView<ArrayBuffer> {
  const bytes = new Uint8Array(view.byteLength * 2);
  bytes.set(new Uint8Array(view.buffer));
  return new DataView(bytes.buffer);
}
