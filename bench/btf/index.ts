/**
 * `npm run bench:btf`: the cost of BTF and object files. Measures parsing the kernel's types for the first time
 * in a process, as every command that needs them does, and again, with the memory kept; a program's function
 * and line records; and writing and reading the load balancer's object file. Compares with bpftool's dump of
 * the same types, if installed.
 *
 * Usage: npm run bench:btf -- [ROUNDS]
 */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Btf, fieldOf, kernelBtf, programBtf } from "tsbpf/btf";
import { readObject, writeObject } from "tsbpf/elf";
import { loadBalancerPrograms } from "../../programs/index.ts";

const VMLINUX = "/sys/kernel/btf/vmlinux";
const rounds = Number(process.argv[2] ?? 11);

interface FirstParse {
  readonly parse: number;
  readonly find: number;
  readonly again: number;
  readonly memory: number;
}

/** The milliseconds that `work` takes. */
function timed(work: () => unknown): number {
  const start = process.hrtime.bigint();
  work();
  return Number(process.hrtime.bigint() - start) / 1e6;
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
const repeated = (work: () => unknown): number => median(Array.from({ length: rounds }, () => timed(work)));

/** Run in a separate process: the first parse, the first lookup by name, a thousand more, and the memory kept. */
function firstParse(): FirstParse {
  const memory = () => {
    globalThis.gc!();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  const before = memory();
  let btf: Btf;
  const parse = timed(() => (btf = kernelBtf()));
  const find = timed(() => fieldOf(btf, btf.find("struct", "task_struct")!, "pid"));
  const again = timed(() => {
    for (let i = 0; i < 1000; i++) btf.find("struct", "sock");
  });
  return { parse, find, again, memory: memory() - before };
}

function row(what: string, milliseconds: number, note = ""): void {
  console.log(`${what.padEnd(56)}${milliseconds.toFixed(2).padStart(10)} ms  ${note}`.trimEnd());
}

function measureKernelTypes(): void {
  if (!existsSync(VMLINUX)) return console.log(`SKIPPED, the kernel's types: ${VMLINUX} does not exist`);
  const blob = readFileSync(VMLINUX);
  const self = fileURLToPath(import.meta.url);
  const firsts = Array.from(
    { length: rounds },
    () =>
      JSON.parse(
        execFileSync(process.execPath, [...process.execArgv, "--expose-gc", self, "--first-parse"], {
          encoding: "utf8",
        }),
      ) as FirstParse,
  );
  const of = (field: keyof FirstParse) => median(firsts.map((first) => first[field]));
  console.log(
    `the kernel's types: ${blob.length.toLocaleString("en-GB")} bytes, ` +
      `${new Btf(blob).typeCount.toLocaleString("en-GB")} types; medians of ${rounds}`,
  );
  row("read and parsed, first in a process", of("parse"));
  row("first struct found by name, and a field of it", of("find"), "(builds the index of names)");
  row("a thousand more lookups by name", of("again"));
  console.log(
    `${"memory kept".padEnd(56)}${(of("memory") / 1e6).toFixed(2).padStart(10)} MB  ` +
      `(${(blob.length / 1e6).toFixed(2)} of them the blob)`,
  );
  row(
    "parsed again, from memory",
    repeated(() => new Btf(blob)),
  );
  row(
    "every type decoded",
    repeated(() => {
      const btf = new Btf(blob);
      for (let id = 1; id < btf.typeCount; id++) btf.type(id);
    }),
  );
  const dump = () => spawnSync("bpftool", ["btf", "dump", "file", VMLINUX], { stdio: "ignore" });
  if (dump().error === undefined)
    row("bpftool btf dump, output discarded", repeated(dump), "(decodes and prints every type)");
  else console.log("SKIPPED, bpftool: it is not installed");
}

function measurePrograms(): void {
  const programs = loadBalancerPrograms().map((source) => source.compile());
  const instructions = programs.reduce((sum, program) => sum + program.instructions.length, 0);
  console.log(`\nthe load balancer: ${programs.length} programs, ${instructions.toLocaleString("en-GB")} instructions`);
  row(
    "BTF, func_info and line_info of all",
    repeated(() => programs.forEach((program) => programBtf(program))),
  );
  row(
    "without the text of the lines",
    repeated(() => programs.forEach((program) => programBtf(program, { sourceText: false }))),
  );
  const object = writeObject(programs);
  row(
    "object file written",
    repeated(() => writeObject(programs)),
    `(${object.length.toLocaleString("en-GB")} bytes)`,
  );
  row(
    "object file read",
    repeated(() => readObject(object)),
  );
}

if (process.argv[2] === "--first-parse") {
  console.log(JSON.stringify(firstParse()));
} else {
  measureKernelTypes();
  measurePrograms();
}
