import { existsSync } from "node:fs";
import { Command } from "commander";
import { formatInstruction } from "../../asm/index.ts";
import { CommandError, UsageError } from "../errors.ts";
import { jsonOption, pinOption } from "../options.ts";
import { print, printJson } from "../output.ts";
import { programsInFile } from "../program-sources/file.ts";
import { listProgram, type ListedProgram } from "../program-sources/listed-program.ts";

interface Flags {
  readonly section?: string;
  readonly id?: number;
  readonly pinned?: string;
  readonly pin: string;
  readonly slots: boolean;
  readonly source: boolean;
  readonly json?: true;
}

export function command(): Command {
  return new Command("disasm")
    .description(
      "Print a program as assembly for `tsbpf asm`. The program comes from a file of hexadecimal digits or raw " +
        "bytes, from an object file, or from the running kernel, after verification. Known source lines appear as " +
        "comments.",
    )
    .argument("[file]", "a file, or the name of a loaded program of the load balancer; - or none reads standard input")
    .option("--section <name>", "only this section of an object file")
    .option("--id <id>", "the loaded program with this id", programId)
    .option("--pinned <path>", "the pinned program, or the program of the pinned link")
    .addOption(pinOption())
    .option("--slots", "begin each line with its slot number, like the verifier's log", false)
    .option("--source", "print known source lines between the instructions", false)
    .addOption(jsonOption())
    .action(disassemble);
}

function programId(text: string): number {
  if (!/^[1-9]\d{0,9}$/.test(text))
    throw new UsageError(`--id takes a program's id, a whole number above 0, not ${JSON.stringify(text)}`);
  return Number(text);
}

async function disassemble(file: string | undefined, flags: Flags): Promise<void> {
  const programs = await find(file, flags);
  if (flags.json) return printJson(programs.map(toJson));
  const { slots, source } = flags;
  for (const [index, program] of programs.entries())
    await print(`${index === 0 ? "" : "\n"}${listProgram(program, { slots, sources: source })}`);
}

/** The pin of the load balancer's program with this name; undefined if the name is that of a file. */
async function loadedProgram(name: string, pins: string): Promise<string | undefined> {
  if (!/^\w+$/.test(name) || existsSync(name)) return undefined;
  // Imported only here, since they need the kernel.
  const [{ OWNER }, { PinDirectory }] = await Promise.all([
    import("../../lb/index.ts"),
    import("../../loader/index.ts"),
  ]);
  const path = PinDirectory.open(pins, OWNER)?.path("programs", name);
  if (path !== undefined && existsSync(path)) return path;
  throw new CommandError(`cannot find ${name}: it is neither a file nor a program pinned in ${pins}`, {
    hint: "`tsbpf status` lists the load balancer's programs; use --pinned or --id for others",
  });
}

async function find(file: string | undefined, { section, id, pinned, pin }: Flags): Promise<ListedProgram[]> {
  const given = [file, id, pinned].filter((source) => source !== undefined);
  if (given.length > 1) throw new UsageError("give one of: a file, --id, --pinned");
  const path = pinned ?? (file === undefined ? undefined : await loadedProgram(file, pin));
  if (id === undefined && path === undefined) return programsInFile(file ?? "-", section);
  if (section !== undefined) throw new UsageError("--section is for object files");
  // Imported only here, since it needs the kernel.
  const { pinnedProgram, programById } = await import("../program-sources/loaded.ts");
  return [id !== undefined ? programById(id) : pinnedProgram(path!)];
}

function toJson({ title, instructions, labels, notes }: ListedProgram): unknown {
  return {
    ...(title === undefined ? {} : { title }),
    functions: [...labels].map(([index, name]) => ({ name, instruction: index })),
    instructions: instructions.map((instruction) => {
      const { opcode, dst, src, offset, immediate, immediateHigh, reference, source } = instruction;
      return {
        text: formatInstruction(instruction),
        opcode,
        dst,
        src,
        offset,
        immediate,
        immediateHigh,
        reference,
        source,
        note: notes?.get(instruction),
      };
    }),
  };
}
