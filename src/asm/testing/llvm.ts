/**
 * Compares this assembler with LLVM's. The differences in syntax are listed in this
 * file; any other difference is an error.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encode } from "../encode.ts";
import type { Instruction } from "../instruction.ts";
import * as op from "../opcode.ts";
import { assemble } from "../assemble.ts";
import { formatInstruction } from "../text/print.ts";
import { parseAssembly } from "../text/parse.ts";

const MC = "llvm-mc-19";
const OBJDUMP = "llvm-objdump-19";
const OBJCOPY = "llvm-objcopy-19";

/** The tools that a comparison needs. */
export const LLVM_TOOLS: readonly string[] = [MC, OBJDUMP, OBJCOPY];

export interface Comparison {
  /** Instructions that LLVM assembled from text. */
  readonly assembled: number;
  /** Instructions without a form in LLVM's text, given as bytes. */
  readonly givenAsBytes: number;
  /** Instructions whose disassembly was compared; LLVM does not know the rest. */
  readonly disassembled: number;
  readonly differences: readonly string[];
}

/** Compares bytes one way and text the other. */
export function compareWithLlvm(instructions: readonly Instruction[]): Comparison {
  const lines = instructions.map((instruction) => llvmText(instruction) ?? asBytes(instruction));
  const { text, dump } = runLlvm(lines.join("\n"));
  const differences: string[] = [];
  let position = 0;
  let disassembled = 0;
  instructions.forEach((instruction, index) => {
    const ours = encode([instruction]);
    const theirs = text.subarray(position, position + ours.length);
    if (!theirs.equals(ours))
      differences.push(
        `${lines[index]}: LLVM encodes ${theirs.toString("hex")}, we ${Buffer.from(ours).toString("hex")}`,
      );
    const shown = dump.get(position / 8);
    position += ours.length;
    if (shown === undefined || shown.includes("<unknown>") || llvmOmits(instruction)) return;
    disassembled++;
    const printed = llvmText(instruction) ?? formatInstruction(instruction);
    if (normalize(shown) !== normalize(printed)) differences.push(`LLVM prints ${shown}, we ${printed}`);
    const again = Buffer.from(encode(assemble(parseAssembly(shown))));
    if (!again.equals(ours))
      differences.push(`${shown}: read back as ${again.toString("hex")}, not ${Buffer.from(ours).toString("hex")}`);
  });
  if (text.length !== position) differences.push(`LLVM assembled ${text.length} bytes, we ${position}`);
  const givenAsBytes = lines.filter((line) => line.startsWith(".byte")).length;
  return { assembled: lines.length - givenAsBytes, givenAsBytes, disassembled, differences };
}

/** Our text as LLVM 19 reads it; undefined where LLVM has no form for the instruction. */
export function llvmText(instruction: Instruction): string | undefined {
  const { opcode, dst, src, immediate, immediateHigh = 0 } = instruction;
  if (isOrdered(instruction)) return undefined; // from LLVM 20 on
  if (opcode === op.GOTOX) return undefined; // from LLVM 22 on
  if (opcode === op.CALL && src !== 0) return undefined; // a symbol only
  if (opcode === op.CALL) return `call ${immediate}`;
  if (opcode === op.GOTOL && (immediate << 16) >> 16 !== immediate) return undefined; // farther, a label only
  if (isPacketIndirect(opcode) && immediate !== 0) return undefined; // the offset is left out
  if (opcode === op.LDDW && src !== 0) {
    // LLVM's text holds the first half only.
    return immediateHigh === 0 ? `ld_pseudo r${dst}, ${src}, ${immediate >>> 0}` : undefined;
  }
  return formatInstruction(instruction);
}

/** Whether LLVM's disassembly omits part of the instruction. */
function llvmOmits(instruction: Instruction): boolean {
  const { opcode, src, offset, immediateHigh = 0, immediate } = instruction;
  return (
    isOrdered(instruction) || // in part taken for additions
    (isPacketIndirect(opcode) && immediate !== 0) || // the offset
    (opcode === op.LDDW && src !== 0 && immediateHigh !== 0) || // the second half
    (opcode === op.CALL && offset !== 0)
  ); // the module
}

const isOrdered = ({ opcode, immediate }: Instruction): boolean =>
  op.classOf(opcode) === op.BPF_STX && op.modeOf(opcode) === op.BPF_ATOMIC && immediate >= op.BPF_LOAD_ACQ;
const isPacketIndirect = (opcode: number): boolean =>
  op.classOf(opcode) === op.BPF_LD && op.modeOf(opcode) === op.BPF_IND;

const asBytes = (instruction: Instruction): string => `.byte ${[...encode([instruction])].join(", ")}`;

function runLlvm(text: string): { text: Buffer; dump: Map<number, string> } {
  const directory = mkdtempSync(join(tmpdir(), "tsbpf-llvm-"));
  try {
    const source = join(directory, "a.s");
    const object = join(directory, "a.o");
    const raw = join(directory, "a.bin");
    writeFileSync(source, `${text}\n`);
    execFileSync(MC, ["-triple=bpfel", "-mcpu=v4", "-filetype=obj", source, "-o", object]);
    execFileSync(OBJCOPY, ["-O", "binary", "--only-section=.text", object, raw]);
    const dump = execFileSync(OBJDUMP, ["-d", "--mcpu=v4", object], { encoding: "utf8", maxBuffer: 1 << 28 });
    const lines = new Map<number, string>();
    for (const line of dump.split("\n")) {
      const slot = /^\s*(\d+):\s/.exec(line)?.[1];
      if (slot !== undefined) lines.set(Number(slot), line);
    }
    return { text: readFileSync(raw), dump: lines };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/**
 * Allowed differences in the text: numbers are decimal or hexadecimal; LLVM writes `w`
 * registers in loads and stores of up to 4 bytes, shows 64-bit immediates with a sign,
 * appends the name of a jump's target to the offset, and writes calls as a number, so
 * only the bytes before it tell helpers from subprograms.
 */
function normalize(text: string): string {
  let line = text
    .replace(/^\s*\d+:\s+(?:[0-9a-f]{2}\s)+/, "")
    .trim()
    .replace(/\s+/g, " ")
    .replace(/ <\.text[^>]*>$/, "");
  line = line.replace(/(?<![\w.])0x[0-9a-f]+\b/g, (hex) => BigInt(hex).toString());
  line = line.replace(/-\d+(?= ll$)/, (number) => BigInt.asUintN(64, BigInt(number)).toString());
  line = line.replace(/^call (?:[\w-]+#|pc\+?)/, "call ");
  line = line.replace(/^(?:w(\d+)) = \*\(u/, "r$1 = *(u");
  return line.replace(/^(\*\(u(?:8|16|32) \*\).* = )w(\d+)$/, "$1r$2");
}
