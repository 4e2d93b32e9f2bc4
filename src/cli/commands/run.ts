/**
 * `tsbpf run`: runs one program in the simulator, with the input and output format of the bpf_conformance
 * suite's plugins. The suite starts it for thousands of small programs, so this file imports as little as
 * possible.
 */
import { Command } from "commander";
import { decode } from "../../asm/index.ts";
import { execute, type Helper, seededRandom } from "../../sim/index.ts";
import { CommandError, UsageError } from "../errors.ts";
import { formatHex, parseHex } from "../hex.ts";

interface RunFlags {
  readonly budget: number;
  readonly batch: boolean;
}

export function command(): Command {
  return new Command("run")
    .description(
      "Run a program in the simulator. Reads the program as hexadecimal digits from standard input, and prints " +
        "r0 as hexadecimal digits. r1 is the address of MEM, or 0 without MEM, and r2 its length in bytes. Helpers: " +
        "bpf_ktime_get_ns, bpf_get_prandom_u32, bpf_get_smp_processor_id; no maps.",
    )
    .argument("[mem]", "initial memory as hexadecimal digits")
    .argument("[options]", "options of the conformance suite's plugin; must be empty")
    .option("--budget <count>", "the most instructions to run", wholeNumber, 10_000_000)
    .option(
      "--batch",
      "run many programs: each input line is a JSON object with `program` and optionally " +
        "`memory` (hexadecimal digits), `budget` and `returnMemory` (true to return the memory); " +
        "each output line has `result`, and `memory` on request, or `error`",
      false,
    )
    .action(async (memory: string | undefined, pluginOptions: string | undefined, { budget, batch }: RunFlags) => {
      if (pluginOptions?.trim())
        throw new UsageError(`run takes one argument, the memory; unexpected ${JSON.stringify(pluginOptions)}`);
      if (!batch) return runOne(memory ?? "", budget);
      if (memory !== undefined)
        throw new UsageError("--batch takes no memory argument: put the memory in each input line");
      await runBatch(budget);
    });
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value))
    throw new UsageError(`--budget takes a whole number, not ${JSON.stringify(text)}`);
  return value;
}

async function runOne(memory: string, budget: number): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  const program = Buffer.concat(chunks).toString("latin1");
  try {
    process.stdout.write(`${runHex(program, memory, budget).result}\n`);
  } catch (error) {
    throw new CommandError(`cannot run the program: ${messageOf(error)}`, { cause: error });
  }
}

async function runBatch(budget: number): Promise<void> {
  const { createInterface } = await import("node:readline");
  for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
    if (line.trim() === "") continue;
    const text = `${JSON.stringify(answer(line, budget))}\n`;
    if (!process.stdout.write(text)) await new Promise((resolve) => process.stdout.once("drain", resolve));
  }
}

function answer(line: string, defaultBudget: number): { result: string; memory?: string } | { error: string } {
  try {
    const request: unknown = JSON.parse(line);
    if (typeof request !== "object" || request === null) throw new RangeError("each line must be a JSON object");
    const { program, memory = "", budget = defaultBudget, returnMemory = false } = request as Record<string, unknown>;
    if (typeof program !== "string") throw new RangeError("`program` must be a string of hexadecimal digits");
    if (typeof memory !== "string") throw new RangeError("`memory` must be a string of hexadecimal digits");
    if (typeof budget !== "number" || !Number.isSafeInteger(budget) || budget < 0)
      throw new RangeError("`budget` must be a whole number");
    const { result, memory: after } = runHex(program, memory, budget);
    return returnMemory === true ? { result, memory: after } : { result };
  } catch (error) {
    return { error: messageOf(error) };
  }
}

function runHex(program: string, memory: string, budget: number): { result: string; memory: string } {
  const instructions = decode(hexOf("the program", program));
  const random = seededRandom(1);
  const helpers = new Map<number, Helper>([
    [5, () => process.hrtime.bigint()],
    [7, () => random()],
    [8, () => 0],
  ]);
  const execution = execute(instructions, hexOf("the memory", memory), budget, helpers);
  return { result: execution.result.toString(16), memory: formatHex(execution.memory) };
}

function hexOf(what: string, text: string): Uint8Array {
  try {
    return parseHex(text);
  } catch (error) {
    throw new RangeError(`${what}: ${messageOf(error)}`, { cause: error });
  }
}

/** An error's message on one line. */
const messageOf = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).replaceAll(/\s*\n\s*/g, " ");
