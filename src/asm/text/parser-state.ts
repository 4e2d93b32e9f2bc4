import type { Instruction, Reference, SourceLocation } from "../instruction.ts";
import { makeInstruction } from "../make.ts";
import { immediate, type Address } from "./parse-operands.ts";
import type { Scanner } from "./scanner.ts";

/** Shared state of the parsers: the scanner, the prefix before an instruction, and the references. */
export class ParserState {
  readonly scanner: Scanner;
  /** The opcode in the verifier's log before the instruction, or -1. */
  loggedOpcode = -1;
  /** The source field in a disassembler's bytes before the instruction, or -1. */
  shownSource = -1;
  /** The slot number before the instruction, or -1. */
  shownSlot = -1;
  /** Where the current instruction begins, if sources are wanted. */
  source: SourceLocation | undefined = undefined;
  /** The labels that instructions refer to, and the positions of these references. */
  readonly references: { readonly name: string; readonly position: number }[] = [];
  /** Loads of a bare name: a map's or a subprogram's, undecided until all labels are known. */
  readonly symbols = new Set<Instruction>();
  /** The last place in memory. */
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

  /** An immediate; `extended` if the machine sign-extends it to 64 bits. */
  immediate(extended: boolean): number {
    return immediate(this.scanner, extended, this.loggedOpcode >= 0);
  }

  labelReference(name: string, position: number): Reference {
    this.references.push({ name, position });
    return { kind: "label", name };
  }
}
