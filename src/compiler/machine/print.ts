/** The machine form as text, for people and for tests. */
import {
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

const operators = ["+=", "-=", "*=", "/=", "|=", "&=", "<<=", ">>=", "= -", "%=", "^=", "=", "s>>=", "= swap"];
const sizes = ["u32", "u16", "u8", "u64"];

function printMachineInstruction(i: MachineInstruction, fn: MachineFunction): string {
  const { opcode, dst, src, offset, immediate, reference } = i;
  if (isCall(i)) {
    if (i.items !== undefined) return `assembly of ${i.items.length} (${i.argumentCount} arguments)`;
    return `call ${reference === undefined || reference.kind === "map" ? immediate : reference.name} (${i.argumentCount} arguments)`;
  }
  const slot = i.slot === undefined ? "" : ` + ${fn.slots[i.slot]!.name}#${fn.slots[i.slot]!.id}`;
  const place = (register: Register): string =>
    `*(${sizes[(opcode >> 3) & 3]!}*)(${name(register)}${slot}${offset === 0 ? "" : ` + ${offset}`})`;
  switch (opcode & 7) {
    case 0:
      return `${name(dst)} = ${reference === undefined ? `${immediate} ${i.immediateHigh} ll` : `${reference.kind} ${reference.name}`}`;
    case 1:
      return `${name(dst)} = ${place(src)}${(opcode & 0xe0) === 0x80 ? " signed" : ""}`;
    case 2:
      return `${place(dst)} = ${immediate}`;
    case 3:
      return (opcode & 0xe0) === 0xc0
        ? `atomic ${immediate.toString(16)} ${place(dst)} ${name(src)}`
        : `${place(dst)} = ${name(src)}`;
    default: {
      const width = (opcode & 7) === 4 && (opcode & 0xf0) !== 0xd0 ? " (32)" : "";
      const extension = offset === 0 ? "" : ` signed ${offset}`;
      const operation = opcode >> 4;
      if (operation === 8) return `${name(dst)} = -${name(dst)}${width}`;
      if (operation === 13) return `${name(dst)} = swap${immediate} ${name(dst)}`;
      return `${name(dst)} ${operators[operation]!} ${(opcode & 8) !== 0 ? name(src) : `${immediate}${slot}`}${extension}${width}`;
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
      return `if ${name(t.left)} ${comparisons[t.comparison]!} ${t.right === undefined ? t.immediate : name(t.right)}${t.wide ? "" : " (32)"} goto b${t.then} else b${t.else}`;
  }
}
