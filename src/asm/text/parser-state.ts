import type { Instruction, Reference, SourceLocation } from "../instruction.ts";
import { makeInstruction } from "../make.ts";
import { immediate, type Address } from "./parse-operands.ts";
import type { Scanner } from "./scanner.ts";

/** What the parsers of the single forms share: the scanner, what stands before the instruction, and the references. */
export class ParserState {
  readonly scanner: Scanner;
  /** The opcode that the verifier's log shows before the instruction, or -1. */
  loggedOpcode = -1;
  /** The source field among the bytes that a disassembler shows before the instruction, or -1. */
  shownSource = -1;
  /** The slot that is shown before the instruction, or -1. */
  shownSlot = -1;
  /** Where the instruction being read begins, if that is asked for. */
  source: SourceLocation | undefined = undefined;
  /** The labels that instructions refer to, and the positions where they do. */
  readonly references: { readonly name: string; readonly position: number }[] = [];
  /** Loads of a bare name, of which only all labels tell whether it is a map's or a subprogram's. */
  readonly symbols = new Set<Instruction>();
  /** The place in memory that was read last. */
  readonly address: Address = { register: 0, offset: 0 };

  constructor(scanner: Scanner) {
    this.scanner = scanner;
  }

  make(
    opcode: number,
    dst: number,
    src: number,
    offset: number,
    field: number,
    high?: number,
    reference?: Reference,
  ): Instruction {
    return makeInstruction(opcode, dst, src, offset, field, high, reference, this.source);
  }

  /** An immediate; `extended` where the machine extends its sign to 64 bits. */
  immediate(extended: boolean): number {
    return immediate(this.scanner, extended, this.loggedOpcode >= 0);
  }

  labelReference(name: string, position: number): Reference {
    this.references.push({ name, position });
    return { kind: "label", name };
  }
}
