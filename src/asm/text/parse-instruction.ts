import { helperNumber } from "../helpers/index.ts";
import type { Instruction, Reference } from "../instruction.ts";
import * as op from "../opcode.ts";
import { comparisonSigns } from "./operators.ts";
import { parseAssignment } from "./parse-assignment.ts";
import { parseLock, parseStoreRelease } from "./parse-atomic.ts";
import {
  anyRegister,
  immediate,
  parenthesizedAddress,
  pointerType,
  registerFor,
  registerOf,
  sizeField,
  unsigned,
  W,
} from "./parse-operands.ts";
import { ParserState } from "./parser-state.ts";

/** Parses single instructions; `parseAssembly` handles the rest of a line. */
export class InstructionParser extends ParserState {
  /** A line that begins with a register. */
  assignment(register: number): Instruction {
    return parseAssignment(this, register);
  }

  /** `*(u32 *)(r6 + 4) = r1` or a number. */
  store(): Instruction {
    const { scanner } = this;
    scanner.expect(42, '"*"');
    scanner.skip();
    const start = scanner.position;
    const bits = pointerType(scanner);
    if (bits < 0) throw scanner.error("a store has no sign: expected a type of u8, u16, u32 or u64", start);
    parenthesizedAddress(scanner, this.address);
    const { register, offset } = this.address;
    scanner.expect(61, '"="');
    if (scanner.atNumber()) {
      return this.make(op.BPF_ST | op.BPF_MEM | sizeField(bits), register, 0, offset, this.immediate(bits === 64));
    }
    return this.make(op.BPF_STX | op.BPF_MEM | sizeField(bits), register, registerFor(scanner, bits), offset, 0);
  }

  /** An instruction that begins with `word`, which is at `start`. */
  keyword(word: string, start: number): Instruction {
    switch (word) {
      case "if":
        return this.conditional();
      case "goto":
        return this.jump(op.GOTO);
      case "gotol":
        return this.jump(op.GOTOL);
      case "may_goto":
        return this.jump(op.MAY_GOTO);
      case "gotox":
        return this.make(op.GOTOX, registerOf(this.scanner, true), 0, 0, 0);
      case "callx":
        return this.make(op.CALLX, registerOf(this.scanner, true), 0, 0, 0);
      case "call":
        return this.call();
      case "exit":
        return this.make(op.EXIT, 0, 0, 0, 0);
      case "lock":
        return parseLock(this);
      case "store_release":
        return parseStoreRelease(this);
      case "ld_pseudo":
        return this.pseudoLoad();
      default:
        throw this.scanner.expected("an instruction, or a label with a colon", start);
    }
  }

  private conditional(): Instruction {
    const { scanner } = this;
    const left = anyRegister(scanner);
    const wide = left < W;
    const operation = this.comparison();
    let opcode = operation | (wide ? op.BPF_JMP : op.BPF_JMP32);
    let src = 0;
    let field = 0;
    if (scanner.atNumber()) {
      field = this.immediate(wide);
    } else {
      opcode |= op.BPF_X;
      src = registerOf(scanner, wide);
    }
    if (!scanner.acceptWord("goto")) throw scanner.expected('"goto"');
    const offset = this.target(16);
    return this.make(opcode, left & 15, src, offset, field, undefined, this.takeReference());
  }

  private comparison(): number {
    const { scanner } = this;
    const { text } = scanner;
    let code = scanner.skip();
    const start = scanner.position;
    const signed = code === 115;
    if (signed) code = text.charCodeAt(++scanner.position);
    const withEqual = text.charCodeAt(scanner.position + 1) === 61;
    scanner.position += withEqual ? 2 : 1;
    switch (code) {
      case 60: // <
        return withEqual ? (signed ? op.BPF_JSLE : op.BPF_JLE) : signed ? op.BPF_JSLT : op.BPF_JLT;
      case 62: // >
        return withEqual ? (signed ? op.BPF_JSGE : op.BPF_JGE) : signed ? op.BPF_JSGT : op.BPF_JGT;
      case 61: // =
        if (withEqual && !signed) return op.BPF_JEQ;
        break;
      case 33: // !
        if (withEqual && !signed) return op.BPF_JNE;
        break;
      case 38: // &
        if (!withEqual && !signed) return op.BPF_JSET;
        break;
    }
    throw scanner.expected(`a comparison (${[...comparisonSigns.values()].join(" ")})`, start);
  }

  private jump(opcode: number): Instruction {
    const distance = this.target(opcode === op.GOTOL ? 32 : 16);
    const reference = this.takeReference();
    return opcode === op.GOTOL
      ? this.make(opcode, 0, 0, 0, distance, undefined, reference)
      : this.make(opcode, 0, 0, distance, 0, undefined, reference);
  }

  private pending: Reference | undefined = undefined;

  private takeReference(): Reference | undefined {
    const reference = this.pending;
    this.pending = undefined;
    return reference;
  }

  /**
   * A place in the program: `+3`, `-3`, `pc+3`, or a label. Gives the offset; for a label,
   * gives 0 and records the reference.
   */
  target(bits: 16 | 32): number {
    const { scanner } = this;
    let code = scanner.skip();
    const start = scanner.position;
    if (code === 112 && scanner.text.startsWith("pc", start)) {
      const sign = scanner.text.charCodeAt(start + 2);
      if (sign === 43 || sign === 45) {
        scanner.position += 2;
        code = sign;
      }
    }
    if (code !== 43 && code !== 45) {
      const name = scanner.word();
      if (name === "") throw scanner.expected("a label, or an offset with a sign", start);
      this.pending = this.labelReference(name, start);
      return 0;
    }
    const value = scanner.number("an offset");
    const field = bits === 16 ? (value << 16) >> 16 : value | 0;
    if (field !== value) throw scanner.error(`offset ${value} does not fit: expected ${bits} bits with sign`, start);
    return field;
  }

  private call(): Instruction {
    const { scanner } = this;
    const code = scanner.skip();
    const start = scanner.position;
    if (scanner.atNumber()) {
      // A number without a sign is a helper's, with a sign a subprogram's place, unless the bytes beside it say
      // otherwise.
      const kind = this.shownSource >= 0 ? this.shownSource : code === 43 || code === 45 ? op.BPF_PSEUDO_CALL : 0;
      return this.make(op.CALL, 0, kind, 0, immediate(scanner, false, false));
    }
    if (scanner.text.startsWith("kernel-function", start)) {
      scanner.position += 15;
      return this.callKernel();
    }
    if (/^pc[+-]/.test(scanner.text.slice(start, start + 3))) {
      return this.make(op.CALL, 0, op.BPF_PSEUDO_CALL, 0, this.target(32));
    }
    const name = scanner.word();
    if (name === "") throw scanner.expected("a helper's name or number, a label, or an offset with a sign", start);
    const helper = helperNumber(name);
    if (scanner.code() === 35) {
      // #, as the verifier writes: bpf_map_lookup_elem#1
      scanner.position++;
      const number = immediate(scanner, false, false);
      if (helper !== undefined && helper !== number)
        throw scanner.error(`${name} is helper ${helper}, not ${number}`, start);
      return this.make(
        op.CALL,
        0,
        helper !== undefined || name === "unknown" ? 0 : op.BPF_PSEUDO_KFUNC_CALL,
        0,
        number,
      );
    }
    if (helper !== undefined) return this.make(op.CALL, 0, 0, 0, helper);
    return this.make(op.CALL, 0, op.BPF_PSEUDO_CALL, 0, 0, undefined, this.labelReference(name, start));
  }

  /** `call kernel-function#123` or `call kernel-function bpf_task_acquire`, either with ` btf[2]` after it. */
  private callKernel(): Instruction {
    const { scanner } = this;
    let number = 0;
    let reference: Reference | undefined;
    if (scanner.code() === 35) {
      scanner.position++;
      number = immediate(scanner, false, false);
    } else {
      const name = scanner.word();
      if (name === "") throw scanner.expected("the name of a kernel function, or # and its BTF id");
      reference = { kind: "kernel-function", name };
    }
    let module = 0;
    if (scanner.acceptWord("btf")) {
      scanner.expect(91, '"["');
      scanner.skip();
      const start = scanner.position;
      const value = scanner.number("an index of a module's BTF");
      module = (value << 16) >> 16;
      if (module !== value) throw scanner.error("expected an index of 16 bits", start);
      scanner.expect(93, '"]"');
    }
    return this.make(op.CALL, 0, op.BPF_PSEUDO_KFUNC_CALL, module, number, undefined, reference);
  }

  /** `ld_pseudo r1, 1, 5`: LLVM's form of a 64-bit immediate that refers to something. */
  private pseudoLoad(): Instruction {
    const { scanner } = this;
    const dst = registerOf(scanner, true);
    scanner.expect(44, '","');
    const kind = unsigned(scanner, "the kind of a 64-bit immediate", op.BPF_PSEUDO_MAP_IDX_VALUE);
    scanner.expect(44, '","');
    scanner.skip();
    const start = scanner.position;
    const value = scanner.number("a number");
    const wide = BigInt.asIntN(64, scanner.wide ?? BigInt(value));
    const high = Number(wide >> 32n);
    if (
      high !== 0 &&
      kind !== op.BPF_PSEUDO_MAP_VALUE &&
      kind !== op.BPF_PSEUDO_BTF_ID &&
      kind !== op.BPF_PSEUDO_MAP_IDX_VALUE &&
      kind !== 0
    ) {
      throw scanner.error("expected a number of 32 bits", start);
    }
    return this.make(op.LDDW, dst, kind, 0, Number(BigInt.asIntN(32, wide)), high);
  }
}
