/**
 * The load balancer's logic in the simulator: every case, and together every branch. The kernel plays the same cases.
 */
import { readFileSync } from "node:fs";
import { relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { ProgramSource } from "tsbpf";
import { formatInstruction } from "tsbpf/asm";
import type { BranchCoverage, Coverage, WorldOptions } from "tsbpf/sim";
import { loadBalancerPrograms, type DataPathOptions } from "./index.ts";
import { cases, isFor, neverNull, playedBuilds, SimulatedStage, simulatorCases } from "./testing/logic/index.ts";

const built = new Map<DataPathOptions, readonly ProgramSource[]>();

/** The same programs each time that they are asked for, so that what runs of them adds up. */
function programsFor(options: DataPathOptions): readonly ProgramSource[] {
  const programs = built.get(options) ?? loadBalancerPrograms(options);
  built.set(options, programs);
  return programs;
}

/** The coverage of each program by the cases. */
const covered: { readonly name: string; readonly program: ProgramSource; coverage?: Coverage }[] = [];

for (const [build, options] of playedBuilds) {
  const test = suite(`logic in the simulator: ${build} build`);
  const ofBuild = programsFor(options).map((program): (typeof covered)[number] => ({
    name: `${program.name} (${build})`,
    program,
  }));
  covered.push(...ofBuild);

  const play = (name: string, work: (stage: SimulatedStage) => Promise<void>, world?: () => WorldOptions): void => {
    for (const wanting of options.metrics ? [false, true] : [false]) {
      test(wanting ? `${name}; with nowhere to count or tell` : name, async () => {
        const stage = new SimulatedStage(programsFor, options, world?.(), wanting);
        await work(stage);
        await stage.end();
        assert.equal(stage.reverseEntries(), [], "closed sockets leave nothing");
        for (const each of ofBuild) {
          const coverage = stage.world.coverage(each.program);
          if (each.coverage === undefined) each.coverage = coverage;
          else each.coverage.merge(coverage);
        }
      });
    }
  };
  for (const each of cases) if (isFor(each, options)) play(each.name, each.play);
  for (const each of simulatorCases)
    if (isFor(each, options)) play(each.name, each.play, () => ({ helpers: each.helpers?.() ?? {} }));
  test.run();
}

const test = suite("logic in the simulator: coverage");
const directory = fileURLToPath(new URL(".", import.meta.url));
const sources = new Map<string, string[]>();

/** Where in the source a branch was made: the file under programs/, and the text of the line. */
function origin({ instruction: { source } }: BranchCoverage): { file: string; line: string } {
  if (source === undefined) return { file: "", line: "" };
  const path = source.file.startsWith("file:") ? fileURLToPath(source.file) : source.file;
  const file = relative(directory, path).split(sep).join("/");
  const lines = sources.get(path) ?? readFileSync(path, "utf8").split("\n");
  sources.set(path, lines);
  return { file, line: lines[source.line - 1]!.trim() };
}

const isNeverNull = (branch: BranchCoverage): boolean => {
  const { file, line } = origin(branch);
  return neverNull.some((each) => each.file === file && each.line === line);
};

test("every instruction of every program runs, and every branch goes both ways, but for those that cannot", () => {
  const missing = covered.flatMap(({ name, program, coverage }) => {
    const never = program
      .compile()
      .instructions.flatMap(({ source }, i) =>
        coverage!.executions(i) === 0 ? [`${name}, instruction ${i} (line ${source?.line}): never run`] : [],
      );
    const oneWay = coverage!.branches
      .filter((branch) => (branch.taken === 0 || branch.notTaken === 0) && !isNeverNull(branch))
      .map((branch) => {
        const { file, line } = origin(branch);
        return (
          `${name}, ${file}: "${line}": ${branch.taken === 0 ? "never" : "always"} jumps at ${branch.index}: ` +
          `${formatInstruction(branch.instruction)}`
        );
      });
    return [...never, ...oneWay];
  });
  assert.is(missing.join("\n"), "");
});

for (const { file, line, why } of neverNull) {
  test(`never null, since ${why} (${file})`, () => {
    const branches = covered.flatMap(({ name, coverage }) =>
      coverage!.branches
        .filter((branch) => {
          const at = origin(branch);
          return at.file === file && at.line === line;
        })
        .map((branch) => ({ name, branch })),
    );
    assert.ok(branches.length > 0, `no program has a branch in the line "${line}" any more`);
    for (const { name, branch } of branches) {
      assert.ok(branch.taken + branch.notTaken > 0, `${name} never comes to the check at ${branch.index}`);
      assert.ok(
        branch.taken === 0 || branch.notTaken === 0,
        `${name} goes both ways at ${branch.index}: take it from the list`,
      );
    }
  });
}

test.run();
