/** The machine form as text, for people and for tests. */
import { opcodes as bpf } from "../../asm/index.ts";
import {
  isAtomic,
  isCall,
  type MachineFunction,
  type MachineInstruction,
  type MachineTerminator,
  type Register,
} from "./machine.ts";

export function printMachine(fn: MachineFunction): string {
  const lines = [`function ${fn.name}`];
  fn.blocks.forEach((block, index) => {
    lines.push(`b${index}:${block.depth > 0 ? ` (in ${block.depth} loops)` : ""}`);
    for (const i of block.instructions) lines.push(`  ${printMachineInstruction(i, fn)}`);
    lines.push(`  ${printTerminator(block.terminator)}`);
  });
  return `${lines.join("\n")}\n`;
}

const name = (register: Register): string => (register <= 10 ? `r${register}` : `t${register}`);

const operators: Readonly<Record<number, string>> = {
  [bpf.BPF_ADD]: "+=",
  [bpf.BPF_SUB]: "-=",
  [bpf.BPF_MUL]: "*=",
  [bpf.BPF_DIV]: "/=",
  [bpf.BPF_OR]: "|=",
  [bpf.BPF_AND]: "&=",
  [bpf.BPF_LSH]: "<<=",
  [bpf.BPF_RSH]: ">>=",
  [bpf.BPF_MOD]: "%=",
  [bpf.BPF_XOR]: "^=",
  [bpf.BPF_MOV]: "=",
  [bpf.BPF_ARSH]: "s>>=",
};
const sizes: Readonly<Record<number, string>> = {
  [bpf.BPF_B]: "u8",
  [bpf.BPF_H]: "u16",
  [bpf.BPF_W]: "u32",
  [bpf.BPF_DW]: "u64",
};

function printMachineInstruction(i: MachineInstruction, fn: MachineFunction): string {
  const { opcode, dst, src, offset, immediate, reference } = i;
  if (isCall(i)) {
    if (i.items !== undefined) return `assembly of ${i.items.length} (${i.argumentCount} arguments)`;
    const callee = reference === undefined || reference.kind === "map" ? immediate : reference.name;
    return `call ${callee} (${i.argumentCount} arguments)`;
  }
  const slot = i.slot === undefined ? "" : ` + ${fn.slots[i.slot]!.name}#${fn.slots[i.slot]!.id}`;
  const place = (register: Register): string =>
    `*(${sizes[bpf.sizeOf(opcode)]!}*)(${name(register)}${slot}${offset === 0 ? "" : ` + ${offset}`})`;
  switch (bpf.classOf(opcode)) {
    case bpf.BPF_LD: {
      const operand =
        reference === undefined ? `${immediate} ${i.immediateHigh} ll` : `${reference.kind} ${reference.name}`;
      return `${name(dst)} = ${operand}`;
    }
    case bpf.BPF_LDX:
      return `${name(dst)} = ${place(src)}${bpf.modeOf(opcode) === bpf.BPF_MEMSX ? " signed" : ""}`;
    case bpf.BPF_ST:
      return `${place(dst)} = ${immediate}`;
    case bpf.BPF_STX:
      return isAtomic(opcode)
        ? `atomic ${immediate.toString(16)} ${place(dst)} ${name(src)}`
        : `${place(dst)} = ${name(src)}`;
    default: {
      const operation = bpf.operationOf(opcode);
      const width = bpf.classOf(opcode) === bpf.BPF_ALU && operation !== bpf.BPF_END ? " (32)" : "";
      const extension = offset === 0 ? "" : ` signed ${offset}`;
      if (operation === bpf.BPF_NEG) return `${name(dst)} = -${name(dst)}${width}`;
      if (operation === bpf.BPF_END) return `${name(dst)} = swap${immediate} ${name(dst)}`;
      const operand = bpf.takesRegister(opcode) ? name(src) : `${immediate}${slot}`;
      return `${name(dst)} ${operators[operation]!} ${operand}${extension}${width}`;
    }
  }
}

const comparisons: Record<string, string> = {
  eq: "==",
  ne: "!=",
  lt: "<",
  le: "<=",
  gt: ">",
  ge: ">=",
  slt: "s<",
  sle: "s<=",
  sgt: "s>",
  sge: "s>=",
  set: "&",
};

function printTerminator(t: MachineTerminator): string {
  switch (t.op) {
    case "exit":
      return "exit";
    case "jump":
      return `goto b${t.target}`;
    case "branch":
      return (
        `if ${name(t.left)} ${comparisons[t.comparison]!} ` +
        `${t.right === undefined ? t.immediate : name(t.right)}${t.wide ? "" : " (32)"} ` +
        `goto b${t.then} else b${t.else}`
      );
  }
}
