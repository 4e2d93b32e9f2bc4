import { suite } from "uvu";
import * as assert from "uvu/assert";
import { opcodes } from "../fields.ts";
import { compareWithLlvm, llvmIsInstalled } from "./llvm.ts";
import { randomInstructions } from "./random-instruction.ts";

const test = suite("asm/fuzz");

test("2,000 random instructions: the same bytes and the same text as LLVM's", () => {
  if (!llvmIsInstalled()) {
    console.log("skipped: LLVM 19 (llvm-mc-19, llvm-objdump-19, llvm-objcopy-19) is not installed");
    return;
  }
  const instructions = randomInstructions(2_000, 20);
  assert.is(new Set(instructions.map(({ opcode }) => opcode)).size, opcodes.length);
  const { assembled, disassembled, differences } = compareWithLlvm(instructions);
  assert.equal(differences, []);
  assert.ok(assembled > 1_800 && disassembled > 1_800, `only ${assembled} assembled and ${disassembled} disassembled by LLVM`);
});

test.run();
