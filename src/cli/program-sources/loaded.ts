/** Programs in the running kernel, after verification. */
import { readFileSync, readlinkSync } from "node:fs";
import {
  AsmError,
  at,
  decode,
  helperNumber,
  type Instruction,
  isWide,
  makeInstruction,
  opcodes,
  type SourceLocation,
} from "../../asm/index.ts";
import { Btf } from "../../btf/index.ts";
import { linux, programRecords, type Fd, type ProgramRecords } from "../../kernel/index.ts";
import { CommandError } from "../errors.ts";
import type { ListedProgram } from "./listed-program.ts";

/** @throws {CommandError} if there is no such program */
export function programById(id: number): ListedProgram {
  const fd = linux.openById("program", id);
  if (fd === undefined)
    throw new CommandError(`cannot show program ${id}: no loaded program has this id`, {
      hint: "`bpftool prog` lists them",
    });
  return readProgram(fd);
}

/**
 * The pinned program, or the program of the pinned link.
 * @throws {CommandError} if the pin is of another kind
 * @throws {BpfError} if the kernel refuses
 */
export function pinnedProgram(path: string): ListedProgram {
  const fd = linux.openPinned(path);
  switch (readlinkSync(`/proc/self/fd/${fd.number}`)) {
    case "anon_inode:bpf-prog":
      return readProgram(fd);
    case "anon_inode:bpf_link":
    case "anon_inode:[bpf_link]": {
      const id = linux.linkInfo(fd).programId;
      fd.close();
      return programById(id);
    }
    default:
      fd.close();
      throw new CommandError(`cannot show ${path}: it is the pin of a map or of BTF, not of a program or a link`);
  }
}

function readProgram(fd: Fd): ListedProgram {
  try {
    const info = linux.programInfo(fd);
    const { xlated } = linux.programCode(fd);
    if (xlated.length === 0) {
      throw new CommandError(`cannot show program ${info.id}: the kernel hides its instructions`, {
        hint: "run as root, with kernel.bpf_jit_harden and kernel.kptr_restrict set to 0 or 1",
      });
    }
    const { instructions, notes } = decodeKernelCode(xlated, { mapName, symbolAt: kernelSymbols() });
    const title = `program ${info.id} ${info.name}, after verification`;
    const records = programRecords(fd);
    const btf = records.functions.length + records.lines.length === 0 ? undefined : openBtf(info.btfId);
    if (btf === undefined) return { title, instructions, labels: new Map([[0, info.name]]), notes };
    return { title, ...withRecords(instructions, notes, records, btf) };
  } finally {
    fd.close();
  }
}

function openBtf(id: number): Btf | undefined {
  const fd = linux.openById("btf", id);
  if (fd === undefined) return undefined;
  try {
    return new Btf(linux.btfBytes(fd));
  } finally {
    fd.close();
  }
}

/** Adds function names and source lines from BTF. */
export function withRecords(
  instructions: readonly Instruction[],
  notes: ReadonlyMap<Instruction, string>,
  { functions, lines }: ProgramRecords,
  btf: Btf,
): Omit<ListedProgram, "title"> {
  const functionAt = new Map(functions.map(({ slot, type }) => [slot, btf.name(type)]));
  const lineAt = new Map(lines.map((line) => [line.slot, line]));
  const labels = new Map<number, string>();
  const newNotes = new Map<Instruction, string>();
  let slot = 0;
  let source: SourceLocation | undefined;
  const sourced = instructions.map((instruction, index) => {
    const name = functionAt.get(slot);
    if (name !== undefined) labels.set(index, name);
    const line = lineAt.get(slot);
    if (line !== undefined)
      source =
        line.line === 0
          ? undefined
          : { file: btf.string(line.file), line: line.line, column: line.column, text: btf.string(line.text) };
    slot += isWide(instruction) ? 2 : 1;
    const result = source === undefined ? instruction : at(source, instruction);
    const note = notes.get(instruction);
    if (note !== undefined) newNotes.set(result, note);
    return result;
  });
  return { instructions: sourced, labels, notes: newNotes };
}

/** Resolves the kernel's numbers. */
export interface KernelNames {
  readonly mapName: (id: number) => string | undefined;
  /** The name of the function `offset` bytes after `__bpf_call_base`. */
  readonly symbolAt: (offset: number) => string | undefined;
}

/**
 * Decodes the instructions that the kernel reports for a loaded program. The kernel has replaced map
 * descriptors by ids, helpers by distances from `__bpf_call_base` (or from there to a function of the map type,
 * called directly), and has put indices of subprograms beside their offsets. An instruction internal to the
 * kernel becomes one without effect, with a note.
 */
export function decodeKernelCode(
  xlated: Uint8Array,
  { mapName, symbolAt }: KernelNames,
): { instructions: Instruction[]; notes: Map<Instruction, string> } {
  const instructions: Instruction[] = [];
  const notes = new Map<Instruction, string>();
  for (let position = 0; position < xlated.length; ) {
    const size = xlated[position] === opcodes.LDDW ? 16 : 8;
    const bytes = xlated.slice(position, position + size);
    position += size;
    const note = (instruction: Instruction, text: string): void => {
      instructions.push(instruction);
      notes.set(instruction, text);
    };
    try {
      const [instruction] = decode(plain(bytes));
      const { opcode, dst, src, immediate, immediateHigh } = instruction!;
      if (opcode === opcodes.LDDW && (src === opcodes.BPF_PSEUDO_MAP_FD || src === opcodes.BPF_PSEUDO_MAP_VALUE)) {
        const name = mapName(immediate) ?? `id:${immediate}`;
        const reference =
          src === opcodes.BPF_PSEUDO_MAP_FD
            ? ({ kind: "map", name } as const)
            : ({ kind: "map-value", name, offset: immediateHigh! } as const);
        instructions.push(makeInstruction(opcode, dst, src, 0, immediate, immediateHigh, reference));
      } else if (opcode === opcodes.CALL && src !== opcodes.BPF_PSEUDO_CALL) {
        const symbol = symbolAt(immediate);
        const helper = symbol === undefined ? undefined : helperNumber(symbol);
        if (helper !== undefined) instructions.push(makeInstruction(opcodes.CALL, 0, 0, 0, helper));
        else if (symbol !== undefined)
          instructions.push(
            makeInstruction(opcodes.CALL, 0, opcodes.BPF_PSEUDO_KFUNC_CALL, 0, 0, undefined, {
              kind: "kernel-function",
              name: symbol,
            }),
          );
        else note(instruction!, "the kernel does not name the callee");
      } else {
        instructions.push(instruction!);
      }
    } catch (error) {
      if (!(error instanceof AsmError)) throw error;
      note(
        makeInstruction(opcodes.BPF_ALU64 | opcodes.BPF_MOV | opcodes.BPF_X, 0, 0, 0, 0),
        `internal to the kernel: ${Buffer.from(bytes).toString("hex")}`,
      );
    }
  }
  return { instructions, notes };
}

/** The instruction without the kernel's additions in reserved fields. */
function plain(bytes: Uint8Array): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const kind = bytes[1]! >> 4;
  if (bytes[0] === opcodes.CALL && kind === opcodes.BPF_PSEUDO_CALL) {
    // In JIT-compiled programs the distance is in the offset, and the immediate is the subprogram's index.
    const offset = view.getInt16(2, true);
    if (offset !== 0) view.setInt32(4, offset, true);
    view.setInt16(2, 0, true);
  } else if (bytes[0] === opcodes.CALL) {
    view.setInt16(2, 0, true);
  } else if (bytes[0] === opcodes.LDDW && (kind === opcodes.BPF_PSEUDO_FUNC || kind === opcodes.BPF_PSEUDO_MAP_FD)) {
    view.setInt32(12, 0, true);
  }
  return bytes;
}

function mapName(id: number): string | undefined {
  const fd = linux.openById("map", id);
  if (fd === undefined) return undefined;
  const { name } = linux.mapInfo(fd);
  fd.close();
  return /^[\w.]+$/.test(name) ? name : undefined;
}

/** Functions by their distance from `__bpf_call_base`; none if the kernel hides its addresses. */
function kernelSymbols(): KernelNames["symbolAt"] {
  let names: Map<bigint, string> | undefined;
  let base = 0n;
  return (offset) => {
    if (names === undefined) {
      names = new Map();
      for (const line of readFileSync("/proc/kallsyms", "latin1").split("\n")) {
        const [address = "0", , name = ""] = line.split(/\s/);
        if (name.startsWith("__pfx_")) continue;
        const value = BigInt(`0x${address || "0"}`);
        if (name === "__bpf_call_base") base = value;
        // Prefers a helper's name over other names for the same address.
        if (value !== 0n && (!names.has(value) || helperNumber(name) !== undefined)) names.set(value, name);
      }
    }
    return base === 0n ? undefined : names.get(base + BigInt(offset));
  };
}
