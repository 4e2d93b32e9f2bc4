/**
 * `npm run bench:compiler`: compares the load balancer's programs and the examples with the same logic in C
 * (c/) from `clang-19 -O2 -mcpu=v3`. Reports instructions; as root on Linux also bytes of machine code, and
 * nanoseconds per run of the IPv4 programs on the same traffic. Finally reports build times.
 *
 * `npm run bench:compiler -- PROGRAM` prints both listings instead.
 */
import { be16, array, cgroup, Errno, PROCEED, REJECT, u64, load, type ProgramSource, type Program } from "tsbpf";
import { formatListing } from "tsbpf/asm";
import { linux } from "tsbpf/kernel";
import { defaultOptions, loadBalancerPrograms } from "../../programs/index.ts";
import { whyNoKernel } from "../../src/testing/index.ts";
import { measureColdBuilding, measureWarmBuilding } from "./building.ts";
import { compileC } from "./clang.ts";
import { measureRuns } from "./traffic.ts";

const connects = array("connects", { value: u64, maxEntries: 256 });
const denied = array("denied", { value: u64, maxEntries: 1 });

/** Copies of the programs in examples/, which are commands and cannot be imported. */
const examples: readonly ProgramSource[] = [
  cgroup.connect4("count_connect4", (b, ctx) => {
    b.lookup(connects, ctx.protocol.and(255)).ifFound((counter) => counter.value.atomicAdd(1));
    return PROCEED;
  }),
  cgroup.connect4("deny_connect4", (b, ctx) => {
    b.if(ctx.userPort.eq(be16(8000)), () => {
      b.lookup(denied, 0).ifFound((counter) => counter.value.atomicAdd(1));
      b.setRetval(-Errno.ECONNREFUSED);
      b.return(REJECT);
    });
    return PROCEED;
  }),
];

const sources = [...loadBalancerPrograms({ ...defaultOptions, ipv6: true }), ...examples];
const ours = sources.map((source) => source.compile());
const c = ["balancer", "examples"].map((name) => compileC(new URL(`c/${name}.c`, import.meta.url)));
/**
 * Clang's programs with our declarations of the same maps, so that both are
 * filled alike. The C of the balancer's UDP programs remembers flows in an
 * earlier form, with a map of its own: their rows compare two designs.
 */
const declared = new Map(ours.flatMap(({ maps }) => maps.map((map) => [map.name, map])));
const theirs = ours.map(({ name }): Program => {
  const program = c.flatMap(({ programs }) => programs).find((program) => program.name === name)!;
  return { ...program, maps: program.maps.map((own) => declared.get(own.name) ?? own) };
});

const wanted = process.argv[2];
if (wanted === undefined) {
  const reason = whyNoKernel();
  if (reason !== undefined) console.log(`only instructions are counted: ${reason}`);
  const runs =
    reason === undefined
      ? await measureRuns(
          [ours, theirs].map((set) =>
            set.filter(({ name }) => (/4$|release/.test(name) && !/connect4$/.test(name)) || name === "connect4"),
          ),
        )
      : new Map<string, number[]>();
  const bytes =
    reason === undefined ? [ours, theirs].map(jitedBytes) : [new Map<string, number>(), new Map<string, number>()];
  printTable([
    ["program", "instructions", "clang", "machine code", "clang", "ns per run", "clang"],
    ...ours.map(({ name, instructions }, i) => [
      name,
      instructions.length,
      theirs[i]!.instructions.length,
      ...bytes.map((sizes) => sizes.get(name) ?? ""),
      ...(runs.get(name)?.map((ns) => ns.toFixed(0)) ?? ["", ""]),
    ]),
  ]);
  measureColdBuilding();
  measureWarmBuilding();
} else {
  const index = ours.findIndex(({ name }) => name === wanted);
  const known = ours.map(({ name }) => name).join(", ");
  if (index < 0) throw new Error(`cannot show program ${wanted}: the programs are ${known}`);
  for (const [who, { instructions }] of [
    ["tsbpf", ours[index]!],
    ["clang", theirs[index]!],
  ] as const) {
    console.log(`; ${who}: ${instructions.length} instructions\n${formatListing(instructions)}\n`);
  }
}

/** Bytes of the kernel's JIT code, by program. */
function jitedBytes(programs: readonly Program[]): Map<string, number> {
  return new Map(
    programs.map((program) => {
      using collection = load([program], {
        maxEntries: Object.fromEntries(
          program.maps.filter(({ maxEntries }) => maxEntries > 1024).map(({ name }) => [name, 1024]),
        ),
      });
      return [program.name, linux.programInfo(collection.program(program.name).fd).jitedLength];
    }),
  );
}

function printTable(rows: readonly (readonly (string | number)[])[]): void {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => String(row[column]).length)));
  for (const row of rows)
    console.log(
      row
        .map((cell, i) => (i === 0 ? String(cell).padEnd(widths[i]!) : String(cell).padStart(widths[i]!)))
        .join("  ")
        .trimEnd(),
    );
}
