/** Writes docs/programs.md: the instructions of each program, and how many each option adds. */
import { readFileSync } from "node:fs";
import { formatInstruction } from "tsbpf/asm";
import { loadBalancerPrograms, type DataPathOptions } from "../index.ts";
import { builds } from "./builds.ts";

/** By program name: the number of instructions, their text, and the names of the maps. */
type Sizes = ReadonlyMap<
  string,
  { readonly instructions: number; readonly code: string; readonly maps: ReadonlySet<string> }
>;

/** @param programs names of the programs to build; all by default */
function sizesOf(options: DataPathOptions, programs?: readonly string[]): Sizes {
  const sources = loadBalancerPrograms(options).filter(({ name }) => programs?.includes(name) ?? true);
  return new Map(
    sources.map((source) => {
      const { name, instructions, maps } = source.compile();
      return [
        name,
        {
          instructions: instructions.length,
          code: instructions.map((each) => formatInstruction(each)).join("\n"),
          maps: new Set(maps.map((map) => map.name)),
        },
      ];
    }),
  );
}

/** Each option of `minimal` with the other value; a list with one element. */
const switches = (Object.entries(builds.minimal) as [keyof DataPathOptions, unknown][]).flatMap(
  ([name, off]): [keyof DataPathOptions, Partial<DataPathOptions>][] => {
    if (typeof off === "boolean") return [[name, { [name]: !off }]];
    return Array.isArray(off) ? [[name, { [name]: [1] }]] : [];
  },
);

/** The first sentence of an option's doc comment. */
function summary(name: string): string {
  const text = readFileSync(new URL("../options.ts", import.meta.url), "utf8");
  const [, comment = ""] = new RegExp(`/\\*\\*((?:[^*]|\\*(?!/))*)\\*/\\s*readonly ${name}:`).exec(text) ?? [];
  if (comment === "") throw new Error(`programs/options.ts has no comment on ${name}`);
  return comment
    .replace(/\s*\n\s*\*\s?/g, " ")
    .trim()
    .replace(/^(.*?[^.])\. .*$/, "$1.");
}

/** The first column and `MAPS` hold text, the others numbers. */
const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map((name, i) => (i === 0 || name === MAPS ? "---" : "---:")), ...rows]
    .map((cells) => `| ${cells.join(" | ")} |`)
    .join("\n");

const MAPS = "maps";

/** The table of the instructions that each option adds to `base`, in the given programs. */
function additions(base: DataPathOptions, programs: readonly string[]): string {
  const before = sizesOf(base, programs);
  const had = new Set([...before.values()].flatMap(({ maps }) => [...maps]));
  const rows = switches
    .filter(([name, on]) => base[name] !== on[name])
    .map(([name, on]) => {
      const after = sizesOf({ ...base, ...on }, programs);
      const cells = programs.map((program) => {
        const [from, to] = [before.get(program), after.get(program)];
        if (from === undefined || to === undefined) return to === undefined ? "" : `${to.instructions}, new`;
        if (to.code === from.code) return "0";
        const more = to.instructions - from.instructions;
        return more === 0 ? "±0" : `${more > 0 ? "+" : ""}${more}`;
      });
      const maps = [...new Set([...after.values()].flatMap((each) => [...each.maps]))].filter((map) => !had.has(map));
      return [
        `\`${name}${on[name] === false ? ": false" : ""}\``,
        ...cells,
        maps.map((map) => `\`${map}\``).join(", "),
      ];
    });
  const whole = ["none", ...programs.map((program) => String(before.get(program)?.instructions ?? "")), ""];
  return table(["option", ...programs.map((program) => `\`${program}\``), MAPS], [whole, ...rows]);
}

/** The text of docs/programs.md. */
export function sizesPage(): string {
  const [minimal, usual, full] = [builds.minimal, builds.default, builds.full].map((options) => sizesOf(options)) as [
    Sizes,
    Sizes,
    Sizes,
  ];
  const programs = [...full.keys()];
  const cell = (sizes: Sizes, program: string) => String(sizes.get(program)?.instructions ?? "–");
  const total = (sizes: Sizes) => String([...sizes.values()].reduce((sum, { instructions }) => sum + instructions, 0));
  const ofFamily = (six: boolean) =>
    programs.filter((program) => program.endsWith("6") === six && !program.startsWith("post_bind"));
  return `# The load balancer's programs, and what each option adds

Programs are built at load time, with only the code that the kernel supports and the
configuration uses. The tables count instructions as loaded into the kernel.
\`npm run docs:programs\` writes this page, and a test checks it: do not edit.

${table(
  ["program", "minimal", "default", "full"],
  [
    ...programs.map((program) => [`\`${program}\``, ...[minimal, usual, full].map((sizes) => cell(sizes, program))]),
    ["all", ...[minimal, usual, full].map(total)],
  ],
)}

- Minimal: every option off that adds code.
- Default: an empty configuration with \`ipv6: false\`, on Linux 5.18 or newer.
- Full: every option on, with two depths of cgroups; except \`hostNamespaceOnly\`, which
  makes \`hostNamespaceServices\` pointless, and \`events\`, which is on only while
  \`tsbpf monitor\` runs.

## What an option adds

To the minimal build; \`optOutCgroupLevels\` with one depth, \`ipv6\` in IPv4's programs.
0: the same program, instruction for instruction. ±0: other instructions, the same
number. Only \`nodePorts\` needs \`post_bind4\`. The last column names the added maps.

${additions(builds.minimal, [...ofFamily(false), "post_bind4"])}

To the minimal build with \`ipv6\`, which adds the programs of this table:

${additions({ ...builds.minimal, ipv6: true }, [...ofFamily(true), "post_bind6"])}

## The options

${switches.map(([name]) => `- \`${name}\`: ${summary(name)}`).join("\n")}

[configuration.md](configuration.md) lists the lines of the configuration file that switch them on.
`;
}
