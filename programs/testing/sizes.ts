/** How many instructions the programs have, and what each option adds: the page docs/programs.md. */
import { readFileSync } from "node:fs";
import { formatInstruction } from "tsbpf/asm";
import { loadBalancerPrograms, type DataPathOptions } from "../index.ts";
import { builds } from "./builds.ts";

/** Of each program by its name: how many instructions, their text, and the maps that it has. */
type Sizes = ReadonlyMap<
  string,
  { readonly instructions: number; readonly code: string; readonly maps: ReadonlySet<string> }
>;

/** @param programs those that are asked for; unless given, all */
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

/** Each switch by itself, turned over; of a list, one element. */
const switches = (Object.entries(builds.minimal) as [keyof DataPathOptions, unknown][]).flatMap(
  ([name, off]): [keyof DataPathOptions, Partial<DataPathOptions>][] => {
    if (typeof off === "boolean") return [[name, { [name]: !off }]];
    return Array.isArray(off) ? [[name, { [name]: [1] }]] : [];
  },
);

/** What an option's doc comment says first. */
function told(name: string): string {
  const text = readFileSync(new URL("../options.ts", import.meta.url), "utf8");
  const [, comment = ""] = new RegExp(`/\\*\\*((?:[^*]|\\*(?!/))*)\\*/\\s*readonly ${name}:`).exec(text) ?? [];
  if (comment === "") throw new Error(`programs/options.ts has no comment on ${name}`);
  return comment
    .replace(/\s*\n\s*\*\s?/g, " ")
    .trim()
    .replace(/^(.*?[^.])\. .*$/, "$1.");
}

/** Text in the first column, numbers in the others, but for a last one of text. */
const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map((name, i) => (i === 0 || name === MAPS ? "---" : "---:")), ...rows]
    .map((cells) => `| ${cells.join(" | ")} |`)
    .join("\n");

const MAPS = "maps";

/** What the options add to a build of IPv4, or of both families, in the programs of one. */
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
  const whole = ["nothing", ...programs.map((program) => String(before.get(program)?.instructions ?? "")), ""];
  return table(["on top of that", ...programs.map((program) => `\`${program}\``), MAPS], [whole, ...rows]);
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

Programs are built when they are loaded, for what the kernel offers and the
configuration makes use of. What is not used is not in the bytecode: these are
counts of instructions, as the kernel gets them. Written by \`npm run
docs:programs\`, and checked by the tests; not edited by hand.

${table(
  ["program", "minimal", "default", "full"],
  [
    ...programs.map((program) => [`\`${program}\``, ...[minimal, usual, full].map((sizes) => cell(sizes, program))]),
    ["all", ...[minimal, usual, full].map(total)],
  ],
)}

Minimal: every option off that adds something. Default: as an empty configuration with
\`ipv6: false\` has it on a kernel from Linux 5.18. Full: every option on but \`hostNamespaceOnly\`, which leaves
\`hostNamespaceServices\` nothing to decide, and \`events\`, which is for as long as somebody
listens; two depths of cgroups.

## What an option adds

To the minimal build: of \`optOutCgroupLevels\` for one depth, of \`ipv6\` to IPv4's
programs. 0: the program is the same, instruction for instruction. \`post_bind4\` is there for
\`nodePorts\` alone. The last column names the maps that come with it.

${additions(builds.minimal, [...ofFamily(false), "post_bind4"])}

To the minimal build with \`ipv6\`, which also adds the programs of this table:

${additions({ ...builds.minimal, ipv6: true }, [...ofFamily(true), "post_bind6"])}

## The options

${switches.map(([name]) => `- \`${name}\`: ${told(name)}`).join("\n")}

Which lines of the configuration file switch them on is told in [configuration.md](configuration.md).
`;
}
