import { Command } from "commander";
import { linux, VerifierError } from "../../kernel/index.ts";
import { instructionSetLevel, load, LoaderError } from "../../loader/index.ts";
import type { Program } from "../../asm/index.ts";
import { IMPORT_NOTE, jsonOption, typesOption } from "../options.ts";
import { colors, count, note, print, printJson, printTable } from "../output.ts";
import { UsageError } from "../errors.ts";
import { chosenObjectPrograms, isElfFile } from "../program-sources/object.ts";
import { checkTypes } from "../program-sources/type-check.ts";
import {
  chosenPrograms,
  failure,
  importPrograms,
  isProgram,
  type ExportedProgram,
} from "../program-sources/typescript.ts";
import { refusalText } from "../verifier-report.ts";

interface Flags {
  readonly program?: readonly string[];
  readonly log: boolean;
  readonly trace: boolean;
  readonly types: boolean;
  readonly json?: true;
}

/** The kernel's verdict on a program. */
type Verdict = Readonly<
  | {
      name: string;
      section: string;
      accepted: true;
      instructions: number;
      processed: number | undefined;
      jitedBytes: number;
      log: string;
    }
  | { name: string; section: string; accepted: false; error: VerifierError }
  /** Refused before it comes to the verifier. */
  | { name: string; section: string; accepted: false; reason: string }
>;

export function command(): Command {
  return new Command("check")
    .description(
      "Verify the programs of a TypeScript file or an object file with this kernel's verifier. " +
        "The programs are loaded and discarded, never attached. For a refused program, prints the reason, the " +
        "source line and the steps before it, and exits with code 1.",
    )
    .argument("<file>", "TypeScript file, or object file made by clang")
    .option("--program <name...>", "only these programs")
    .option("--log", "print the whole verifier log", false)
    .option("--trace", "print the log with every state of the verifier", false)
    .addOption(typesOption())
    .addOption(jsonOption())
    .addHelpText("after", `\n${IMPORT_NOTE}`)
    .action(run);
}

async function run(file: string, flags: Flags): Promise<void> {
  const { log, trace, json } = flags;
  const verdicts = (await programsOf(file, flags)).map((exported) => check(file, exported, trace ? 2 : log ? 1 : 4));
  if (json) await printJson(verdicts.map(toJson));
  else await report(verdicts, log || trace);
  if (verdicts.some(({ accepted }) => !accepted)) process.exitCode = 1;
}

async function programsOf(file: string, { program: names, types, json }: Flags): Promise<readonly ExportedProgram[]> {
  if (!isElfFile(file)) {
    if (types) await checkTypes(file);
    return chosenPrograms(file, await importPrograms(file), names);
  }
  if (types) throw new UsageError("--types is for TypeScript files");
  const { programs, object } = await chosenObjectPrograms(file, names);
  const reported = new Set(object.programs.map(({ unsupported }) => unsupported));
  for (const error of object.unsupported) if (!reported.has(error)) note(error.message, json);
  return programs;
}

function check(file: string, exported: ExportedProgram, logLevel: 1 | 2 | 4): Verdict {
  const program = compile(file, exported);
  const { name, section } = program;
  try {
    using collection = load([program], { logLevel });
    const { fd, log } = collection.program(name);
    const { jitedLength } = linux.programInfo(fd);
    const processed = /^processed (\d+) insns/m.exec(log)?.[1];
    return {
      name,
      section,
      accepted: true,
      instructions: program.instructions.length,
      processed: processed === undefined ? undefined : Number(processed),
      jitedBytes: jitedLength,
      log,
    };
  } catch (error) {
    // Statistics alone lack the steps before the refusal.
    if (error instanceof VerifierError && logLevel === 4) return check(file, exported, 1);
    if (error instanceof VerifierError) return { name, section, accepted: false, error };
    if (error instanceof LoaderError) return { name, section, accepted: false, reason: error.message };
    throw error;
  }
}

/** Compiles for this kernel's instruction set, like the loader. */
function compile(file: string, exported: ExportedProgram): Program {
  if (isProgram(exported)) return exported;
  const isa = instructionSetLevel();
  try {
    return exported.compile({ isa });
  } catch (error) {
    throw failure(`${file}: cannot build program ${exported.name}`, error);
  }
}

async function report(verdicts: readonly Verdict[], withLog: boolean): Promise<void> {
  const accepted = verdicts.filter((verdict) => verdict.accepted);
  if (withLog) {
    for (const verdict of verdicts)
      await print(
        `${colors.bold(verdict.name)}\n` +
          `${(verdict.accepted ? verdict.log : "error" in verdict ? verdict.error.log : verdict.reason).trimEnd()}\n\n`,
      );
  }
  if (accepted.length > 0) {
    await printTable(
      [
        { header: "PROGRAM" },
        { header: "HOOK" },
        { header: "INSTRUCTIONS", align: "right" },
        { header: "VERIFIED", align: "right" },
        { header: "JITED BYTES", align: "right" },
      ],
      accepted.map(({ name, section, instructions, processed, jitedBytes }) => [
        name,
        section,
        count(instructions),
        processed === undefined ? "" : count(processed),
        count(jitedBytes),
      ]),
    );
  }
  for (const verdict of verdicts) {
    if (verdict.accepted) continue;
    const text = "error" in verdict ? refusalText(verdict.error, colors) : `${verdict.reason}\n`;
    await print(`${accepted.length > 0 ? "\n" : ""}${text}`);
  }
}

function toJson(verdict: Verdict): unknown {
  if (!("error" in verdict)) return verdict;
  const { reason, source, instructionIndex, slot, steps, hint, log } = verdict.error;
  return { ...verdict, error: { reason, source, instructionIndex, slot, steps, hint, log } };
}
