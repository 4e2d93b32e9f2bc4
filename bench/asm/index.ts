/**
 * `npm run bench:asm`: instructions per second of the builders, encoder, decoder, text assembler and printer,
 * compared with `llvm-mc` on the same text. The candidates take turns in every round, so that all run under the
 * same conditions; the results are medians.
 *
 * Usage: npm run bench:asm -- [LINES] [ROUNDS]
 */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  add,
  assemble,
  assembleText,
  call,
  decode,
  encode,
  exit,
  formatListing,
  jeq,
  jne,
  load,
  loadMap,
  mov,
  parseAssembly,
  r0,
  r1,
  r10,
  r2,
  r6,
  store,
  w1,
  type Instruction,
} from "tsbpf/asm";
import { llvmText } from "../../src/asm/testing/llvm.ts";
import { randomInstruction, randomNumbers } from "../../src/asm/testing/random-instruction.ts";

const LLVM = "llvm-mc-19";
const COMMAND = fileURLToPath(new URL("../../dist/src/cli/tsbpf.js", import.meta.url));
const SUBCOMMAND = fileURLToPath(new URL("../../dist/src/cli/commands/asm.js", import.meta.url));

const lines = Number(process.argv[2] ?? 200_000);
const rounds = Number(process.argv[3] ?? 7);

/** Random instructions in every form that both assemblers read. */
function commonText(): string {
  const random = randomNumbers(1);
  const text: string[] = [];
  for (let index = 0; text.length < lines; index++) {
    const line = llvmText(randomInstruction(random, index));
    if (line !== undefined) text.push(line);
  }
  return `${text.join("\n")}\n`;
}

/** The typical start of a program, repeated. */
function build(): Instruction[] {
  const instructions: Instruction[] = [];
  while (instructions.length < lines) {
    instructions.push(
      mov(r6, r1),
      load("u32", r2, r6, 4),
      jne(w1, 0x50, 3),
      store("u32", r10, -8, r2),
      mov(r2, r10),
      add(r2, -8),
      loadMap(r1, "services"),
      call("bpf_map_lookup_elem"),
      jeq(r0, 0, 1),
      exit(),
    );
  }
  return instructions;
}

/** A lower bound for encoding: two writes per slot of known numbers. */
function writeSlots(count: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(count * 8));
  for (let slot = 0; slot < count; slot++) {
    view.setUint32(slot * 8, slot, true);
    view.setInt32(slot * 8 + 4, slot, true);
  }
  return new Uint8Array(view.buffer);
}

const directory = mkdtempSync(join(tmpdir(), "tsbpf-bench-"));
try {
  const file = join(directory, "a.s");
  const text = commonText();
  writeFileSync(file, text);
  const instructions = assemble(parseAssembly(text));
  const bytes = encode(instructions);

  const work: Record<string, () => unknown> = {
    builders: build,
    encode: () => encode(instructions),
    "  two DataView writes a slot": () => writeSlots(bytes.length / 8),
    decode: () => decode(bytes),
    "text to instructions": () => assemble(parseAssembly(text)),
    "text to bytes": () => assembleText(text),
    listing: () => formatListing(instructions),
  };
  const command = ["asm", file, "-o", join(directory, "ours.bin")];
  if (existsSync(SUBCOMMAND))
    work["tsbpf asm, the whole command"] = () => execFileSync(process.execPath, [COMMAND, ...command]);
  else console.log("tsbpf asm is not measured: run `npm run build` first");
  if (spawnSync(LLVM, ["--version"]).error === undefined) {
    work[`${LLVM}, the whole command`] = () =>
      execFileSync(LLVM, ["-triple=bpfel", "-mcpu=v4", "-filetype=obj", file, "-o", join(directory, "llvm.o")]);
  } else {
    console.log(`${LLVM} is not measured: it is not installed`);
  }

  const times = new Map<string, number[]>(Object.keys(work).map((name) => [name, []]));
  for (let round = -2; round < rounds; round++) {
    for (const [name, run] of Object.entries(work)) {
      const start = process.hrtime.bigint();
      run();
      // The first two rounds are for warming up.
      if (round >= 0) times.get(name)!.push(Number(process.hrtime.bigint() - start));
    }
  }
  const median = (name: string): number => times.get(name)!.sort((a, b) => a - b)[rounds >> 1]!;
  console.log(`${lines} instructions, median of ${rounds} rounds\n`);
  console.log(`${"".padEnd(34)}${"ms".padStart(8)}${"ns each".padStart(10)}${"a second".padStart(14)}`);
  for (const name of times.keys()) {
    const ns = median(name);
    console.log(
      `${name.padEnd(34)}${(ns / 1e6).toFixed(1).padStart(8)}${(ns / lines).toFixed(1).padStart(10)}${Math.round(
        (lines / ns) * 1e9,
      )
        .toLocaleString("en-GB")
        .padStart(14)}`,
    );
  }
  const llvm = `${LLVM}, the whole command`;
  if (times.has(llvm)) {
    console.log("");
    for (const name of ["text to bytes", "tsbpf asm, the whole command"]) {
      if (times.has(name))
        console.log(`${name}: ${(median(llvm) / median(name)).toFixed(2)} times the speed of ${LLVM}`);
    }
  }
} finally {
  rmSync(directory, { recursive: true });
}
