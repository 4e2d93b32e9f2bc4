import { writeFileSync } from "node:fs";
import { Command } from "commander";
import { assemble } from "../../asm/assemble.ts";
import { encode } from "../../asm/encode.ts";
import { AsmError } from "../../asm/error.ts";
import type { Instruction } from "../../asm/instruction.ts";
import { parseAssembly } from "../../asm/text/parse.ts";
import { AsmSyntaxError } from "../../asm/text/syntax-error.ts";
import { CommandError } from "../errors.ts";
import { formatHex } from "../hex.ts";
import { print } from "../output.ts";
import { readInput } from "../program-sources/file.ts";

interface Flags {
  readonly output?: string;
  readonly longJumps: boolean;
}

export function command(): Command {
  return new Command("asm")
    .description(
      "Assemble text in the syntax of the verifier's log and of LLVM (llvm-objdump -d may be pasted) to bytes: in\n" +
      "hexadecimal digits on standard output, a line for each instruction, or raw in a file. References to maps and\n" +
      "kernel functions by name, which only loading resolves, become the number 0.")
    .argument("[file]", "assembly; standard input where it is absent or -", "-")
    .option("-o, --output <file>", "write raw bytes to this file")
    .option("--long-jumps", "turn jumps beyond 16 bits into gotol (Linux 6.6)", false)
    .action(assembleFile);
}

async function assembleFile(file: string, { output, longJumps }: Flags): Promise<void> {
  const { name, bytes: text } = readInput(file);
  let lines: string[];
  let bytes: Uint8Array;
  try {
    const instructions = assembleText(text.toString(), name, longJumps);
    bytes = encode(instructions);
    let position = 0;
    lines = output !== undefined ? [] : instructions.map(({ immediateHigh }) => {
      const start = position;
      position += immediateHigh === undefined ? 8 : 16;
      return `${formatHex(bytes.subarray(start, position))}\n`;
    });
  } catch (error) {
    if (error instanceof AsmError) throw new CommandError(error.message, { cause: error });
    throw error;
  }
  if (output === undefined) return print(lines.join(""));
  try {
    writeFileSync(output, bytes);
  } catch (error) {
    throw new CommandError(`cannot write ${output}: ${(error as Error).message}`, { cause: error });
  }
}

/** Places in the text are worked out only once something is wrong, which makes the rest quicker. */
function assembleText(text: string, file: string, longJumps: boolean): Instruction[] {
  const attempt = (sources: boolean): Instruction[] => assemble(parseAssembly(text, { file, sources }), { longJumps });
  try {
    return attempt(false);
  } catch (error) {
    if (error instanceof AsmSyntaxError) throw error;
    return attempt(true);
  }
}
