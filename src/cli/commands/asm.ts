import { Command } from "commander";
import { AsmError, assembleText, opcodes, SLOT_SIZE } from "../../asm/index.ts";
import { CommandError } from "../errors.ts";
import { formatHex } from "../hex.ts";
import { print, writeOutput } from "../output.ts";
import { readInput } from "../program-sources/input.ts";

interface Flags {
  readonly output?: string;
  readonly longJumps: boolean;
}

export function command(): Command {
  return new Command("asm")
    .description(
      "Assemble text in the syntax of the verifier's log and of LLVM (the output of llvm-objdump -d works too). " +
        "Prints hexadecimal digits, one line per instruction; with --output, writes raw bytes. References to maps " +
        "and kernel functions by name are resolved only by loading: here they become 0.",
    )
    .argument("[file]", "assembly file; - or none reads standard input", "-")
    .option("-o, --output <file>", "write raw bytes to this file")
    .option("--long-jumps", "encode jumps beyond 16 bits as gotol (Linux 6.6)", false)
    .action(assembleFile);
}

async function assembleFile(file: string, { output, longJumps }: Flags): Promise<void> {
  const { name, bytes: text } = readInput(file);
  let bytes: Uint8Array;
  try {
    bytes = assembleText(text.toString(), { file: name, longJumps });
  } catch (error) {
    if (error instanceof AsmError) throw new CommandError(error.message, { cause: error });
    throw error;
  }
  if (output === undefined) return print(hexLines(bytes));
  writeOutput(output, bytes);
}

/** One line per instruction. */
function hexLines(bytes: Uint8Array): string {
  const lines: string[] = [];
  for (let position = 0; position < bytes.length; ) {
    const end = position + (bytes[position] === opcodes.LDDW ? 2 : 1) * SLOT_SIZE;
    lines.push(`${formatHex(bytes.subarray(position, end))}\n`);
    position = end;
  }
  return lines.join("");
}
