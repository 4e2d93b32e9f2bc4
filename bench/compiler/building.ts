/** Build times of all programs of the load balancer: in a fresh process, compared with clang, and in a warm one. */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { defaultOptions, loadBalancerPrograms } from "../../programs/index.ts";
import { compile } from "../../src/compiler/index.ts";

const COLD_RUNS = 7;
const WARM_RUNS = 60;

/** Seconds of wall-clock time and of user CPU time, including other threads. */
interface Times {
  readonly clock: number;
  readonly user: number;
}

/** A script from the start of the process to the bytes of every program. */
const buildAll = (root: string, extension: string): string => `
  const { defaultOptions, loadBalancerPrograms } =
    await import(${JSON.stringify(new URL(`programs/index.${extension}`, root))});
  const { encode } = await import(${JSON.stringify(new URL(`src/asm/index.${extension}`, root))});
  for (const source of loadBalancerPrograms({ ...defaultOptions, ipv6: true })) encode(source.compile().instructions);`;

function timed(command: string, args: readonly string[]): Times {
  const { status, stderr } = spawnSync("bash", ["-c", 'TIMEFORMAT="%R %U"; time "$@"', "bash", command, ...args], {
    encoding: "utf8",
    env: { ...process.env, LC_ALL: "C" },
  });
  if (status !== 0) throw new Error(`${command} failed: ${stderr}`);
  const [clock, user] = stderr.trim().split("\n").at(-1)!.split(" ").map(Number);
  return { clock: clock!, user: user! };
}

const median = (numbers: readonly number[]): number => numbers.toSorted((a, b) => a - b)[numbers.length >> 1]!;

/** Prints medians of several runs; the candidates take turns. */
export function measureColdBuilding(): void {
  const root = new URL("../../", import.meta.url);
  const dist = new URL("dist/", root);
  const directory = mkdtempSync(join(tmpdir(), "tsbpf-building-"));
  const multiarch = execFileSync("gcc", ["-print-multiarch"], { encoding: "utf8" }).trim();
  const node =
    (url: URL, extension: string, ...options: readonly string[]): (() => Times) =>
    () =>
      timed(process.execPath, [...options, "--input-type=module", "-e", buildAll(url.href, extension)]);
  const kinds = new Map<string, () => Times>([
    ["tsbpf, dist/", node(dist, "js")],
    ["tsbpf through tsx", node(root, "ts", "--import", "tsx")],
    [
      "clang-19 -O2 -g",
      () =>
        timed("clang-19", [
          "-O2",
          "-mcpu=v3",
          "-g",
          "-target",
          "bpf",
          `-I/usr/include/${multiarch}`,
          "-c",
          fileURLToPath(new URL("c/balancer.c", import.meta.url)),
          "-o",
          join(directory, "object.o"),
        ]),
    ],
    ["node alone", () => timed(process.execPath, ["-e", "0"])],
  ]);
  if (!existsSync(new URL("programs/index.js", dist))) {
    console.log("without dist/, which `npm run build` makes");
    kinds.delete("tsbpf, dist/");
  }
  try {
    const runs = new Map([...kinds.keys()].map((kind) => [kind, [] as Times[]]));
    for (let i = 0; i < COLD_RUNS; i++) for (const [kind, run] of kinds) runs.get(kind)!.push(run());
    console.log(
      `\nbuilding the load balancer's programs in a fresh process, medians of ${COLD_RUNS} (load average ` +
        `${loadavg()[0]!.toFixed(1)}):`,
    );
    for (const [kind, times] of runs) {
      console.log(
        `  ${kind.padEnd(18)} ${(median(times.map(({ clock }) => clock)) * 1000).toFixed(0).padStart(6)} ms, ` +
          `${(median(times.map(({ user }) => user)) * 1000).toFixed(0).padStart(6)} ms of user CPU time`,
      );
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** Prints medians of user CPU time per resulting instruction. */
export function measureWarmBuilding(): void {
  const sources = loadBalancerPrograms({ ...defaultOptions, ipv6: true });
  const now = (): number => process.cpuUsage().user;
  const described: number[] = [];
  const compiled: number[] = [];
  let instructions = 0;
  for (let i = 0; i < 2 * WARM_RUNS; i++) {
    const start = now();
    const modules = sources.map((source) => source.build());
    const middle = now();
    instructions = modules.reduce((sum, module) => sum + compile(module).instructions.length, 0);
    const end = now();
    if (i < WARM_RUNS) continue;
    described.push(middle - start);
    compiled.push(end - middle);
  }
  const each = (times: readonly number[]): string => (median(times) / instructions).toFixed(2);
  console.log(
    `when warm: ${each(described)} µs of user CPU time per instruction to describe, ${each(compiled)} µs to ` +
      `compile (${instructions} instructions)`,
  );
}
