import { fork } from "node:child_process";
import { once } from "node:events";
import { basename, resolve } from "node:path";
import { Command, Option } from "commander";
import { encode, type Program } from "../../asm/index.ts";
import { printModule } from "../../compiler/index.ts";
import { ElfError, writeObject } from "../../elf/index.ts";
import { CommandError, UsageError } from "../errors.ts";
import { formatHex } from "../hex.ts";
import { IMPORT_NOTE, jsonOption, typesOption } from "../options.ts";
import { count, note, print, printJson, printTable, writeOutput } from "../output.ts";
import { listProgram } from "../program-sources/listed-program.ts";
import { checkTypes } from "../program-sources/type-check.ts";
import {
  chosenPrograms,
  failure,
  importedFiles,
  importPrograms,
  isProgram,
  type BuildableProgram,
  type ExportedProgram,
} from "../program-sources/typescript.ts";
import { watchFiles } from "../watch.ts";

const FORMS = ["ir", "asm", "bytes"] as const;

interface Flags {
  readonly program?: readonly string[];
  readonly output?: string;
  readonly emit?: (typeof FORMS)[number];
  readonly stage?: string;
  readonly cpu: "v1" | "v2" | "v3" | "v4";
  readonly sources: boolean;
  readonly sourceText: boolean;
  readonly watch: boolean;
  readonly types: boolean;
  readonly json?: true;
}

export function command(): Command {
  return new Command("build")
    .description(
      "Build the programs that a TypeScript file exports, singly or in arrays. Writes an object file for libbpf, " +
        "bpftool and cilium/ebpf; with --emit, prints a form for people.",
    )
    .argument("<file>", "TypeScript file")
    .option("--program <name...>", "only these programs")
    .option(
      "-o, --output <file>",
      "output file; defaults to standard output with --emit, else to FILE.bpf.o in the current directory",
    )
    .addOption(
      new Option(
        "--emit <form>",
        "print the intermediate form, assembly, or hexadecimal digits (raw bytes with --output)",
      ).choices(FORMS),
    )
    .option(
      "--stage <name>",
      "with --emit ir: the form after this compiler stage, or after every stage with `all`; default: before the first",
    )
    .addOption(
      new Option("--cpu <version>", "instruction set, as in clang's -mcpu")
        .choices(["v1", "v2", "v3", "v4"])
        .default("v3"),
    )
    .option("--no-sources", "omit the source line of each instruction")
    .option("--no-source-text", "omit the text of source lines, but not their numbers")
    .option("--watch", "rebuild when the file, or a file that it imports, is saved", false)
    .addOption(typesOption())
    .addOption(jsonOption())
    .addHelpText("after", `\n${IMPORT_NOTE}`)
    .action(run);
}

async function run(file: string, flags: Flags): Promise<void> {
  if (flags.json && flags.emit !== undefined && flags.output === undefined)
    throw new UsageError("--json and --emit both write to standard output: add --output");
  if (flags.stage !== undefined && flags.emit !== "ir") throw new UsageError("--stage needs --emit ir");
  if (flags.watch) return buildOnChange(file, flags.json);
  try {
    await build(file, flags);
  } finally {
    // Tells the watching process which files to watch.
    if (process.env[WATCHED] !== undefined) process.send?.(importedFiles());
  }
}

const WATCHED = "TSBPF_WATCHED";

/** Each build runs in its own process, because Node imports a module only once. */
async function buildOnChange(file: string, json: true | undefined): Promise<never> {
  const options = process.argv.slice(2).filter((argument) => argument !== "--watch");
  return watchFiles(
    async () => {
      const child = fork(process.argv[1]!, options, { env: { ...process.env, [WATCHED]: "1" } });
      let files: readonly string[] = [];
      child.on("message", (message) => (files = message as readonly string[]));
      await once(child, "exit");
      return [resolve(file), ...files];
    },
    (changed) => note(`${changed} has changed`, json),
  );
}

async function build(file: string, flags: Flags): Promise<void> {
  if (flags.types) await checkTypes(file);
  await emit(file, chosenPrograms(file, await importPrograms(file), flags.program), flags);
}

async function emit(file: string, exported: readonly ExportedProgram[], flags: Flags): Promise<void> {
  const { output } = flags;
  switch (flags.emit) {
    case "ir":
      return deliver(exported.map((each) => intermediateForm(file, each, flags)).join("\n"), exported, flags);
    case "asm":
      return deliver(exported.map((each) => listing(compile(file, each, flags))).join("\n"), exported, flags);
    case "bytes": {
      const programs = exported.map((each) => compile(file, each, flags));
      if (output === undefined) return deliver(programs.map(hexLines).join("\n"), exported, flags);
      if (programs.length > 1) {
        const names = exported.map(({ name }) => name).join(", ");
        throw new UsageError(
          `cannot write ${programs.length} programs to one file of bytes: choose one with --program (${names})`,
        );
      }
      return deliver(encode(programs[0]!.instructions), exported, flags);
    }
    case undefined: {
      const programs = exported.map((each) => compile(file, each, flags));
      let bytes: Uint8Array;
      try {
        bytes = writeObject(programs, { sourceText: flags.sourceText });
      } catch (error) {
        throw error instanceof ElfError
          ? new CommandError(`cannot write an object file: ${error.message}`, { cause: error })
          : error;
      }
      const path = output ?? `${basename(file).replace(/\.[cm]?tsx?$/, "")}.bpf.o`;
      writeOutput(path, bytes);
      return report(path, bytes, programs, flags);
    }
  }
}

function compile(file: string, exported: ExportedProgram, { cpu, sources }: Flags): Program {
  if (isProgram(exported)) return exported;
  try {
    return exported.compile({ isa: Number(cpu.slice(1)), sources });
  } catch (error) {
    throw failure(`${file}: cannot build program ${exported.name}`, error);
  }
}

function intermediateForm(file: string, exported: ExportedProgram, flags: Flags): string {
  const { sources, stage } = flags;
  if (isProgram(exported))
    throw new CommandError(`${file}: program ${exported.name} is written in assembly and has no intermediate form`, {
      hint: "choose other programs with --program, or use --emit asm",
    });
  try {
    if (stage !== undefined) return stages(exported, stage, flags);
    return `; program ${exported.name}\n${printModule(exported.build({ sources }))}`;
  } catch (error) {
    throw failure(`${file}: cannot build program ${exported.name}`, error);
  }
}

/** The form after one compiler stage, or after each. */
function stages(exported: BuildableProgram, wanted: string, { cpu, sources }: Flags): string {
  const found: { name: string; text: string }[] = [];
  exported.compile({
    isa: Number(cpu.slice(1)),
    sources,
    onStage: (name: string, text: string) => found.push({ name, text }),
  });
  const chosen = found.filter(({ name }) => wanted === "all" || name.endsWith(`: ${wanted}`));
  if (chosen.length === 0) {
    const names = [...new Set(found.map(({ name }) => name.slice(name.indexOf(": ") + 2)))];
    throw new CommandError(
      `cannot show stage ${JSON.stringify(wanted)} of program ${exported.name}: no such stage changes it`,
      { hint: `its stages are: ${names.join(", ")}` },
    );
  }
  return chosen.map(({ name, text }) => `; ${name}\n${text}`).join("\n");
}

function listing({ name, section, instructions, functions }: Program): string {
  return listProgram({
    title: `section ${section}, program ${name}`,
    instructions,
    labels: new Map(functions.map((each) => [each.start, each.name])),
  });
}

/** One line per instruction, like `tsbpf asm`. */
function hexLines({ instructions }: Program): string {
  return instructions.map((instruction) => `${formatHex(encode([instruction]))}\n`).join("");
}

async function deliver(
  result: string | Uint8Array,
  exported: readonly ExportedProgram[],
  { output, emit, json }: Flags,
): Promise<void> {
  if (output === undefined) return print(result as string);
  writeOutput(output, result);
  if (json)
    return printJson({
      output,
      form: emit,
      bytes: Buffer.byteLength(result),
      programs: exported.map(({ name }) => ({ name })),
    });
  await print(`${output}: ${emit} of ${exported.map(({ name }) => name).join(", ")}\n`);
}

async function report(output: string, bytes: Uint8Array, programs: readonly Program[], { json }: Flags): Promise<void> {
  const described = programs.map(({ name, section, instructions, functions, maps }) => ({
    name,
    section,
    instructions: instructions.length,
    functions: functions.map((each) => each.name),
    maps: maps.map((each) => each.name),
  }));
  if (json) return printJson({ output, bytes: bytes.length, license: programs[0]!.license, programs: described });
  await printTable(
    [
      { header: "PROGRAM" },
      { header: "SECTION" },
      { header: "INSTRUCTIONS", align: "right" },
      { header: "FUNCTIONS", align: "right" },
      { header: "MAPS" },
    ],
    described.map(({ name, section, instructions, functions, maps }) => [
      name,
      section,
      count(instructions),
      count(functions.length),
      maps.join(", "),
    ]),
  );
  await print(`${output}: ${count(bytes.length)} bytes\n`);
}
