import * as assert from "uvu/assert";
import { toolSuite } from "../../testing/index.ts";
import { opcodes } from "../fields.ts";
import { compareWithLlvm, LLVM_TOOLS } from "./llvm.ts";
import { randomInstructions } from "./random-instruction.ts";

const test = toolSuite("asm/fuzz: beside LLVM 19", LLVM_TOOLS);

test("2,000 random instructions give the same bytes and text as LLVM", () => {
  const instructions = randomInstructions(2_000, 20);
  assert.is(new Set(instructions.map(({ opcode }) => opcode)).size, opcodes.length);
  const { assembled, disassembled, differences } = compareWithLlvm(instructions);
  assert.equal(differences, []);
  assert.ok(
    assembled > 1_800 && disassembled > 1_800,
    `only ${assembled} assembled and ${disassembled} disassembled by LLVM`,
  );
});

test.run();
