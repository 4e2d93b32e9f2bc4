/** The type checker's messages, and its cost. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";

const typeChecking = suite("dsl: type checking");
const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
const tsc = join(root, "node_modules/typescript/bin/tsc");

/** Type instantiations of the whole project, tests included: 322,000 in 1,082 files when this was last changed. */
const BUDGET = 340_000;

/** The same of a file with one small program: 68,000. */
const PROGRAM_BUDGET = 75_000;

/** What the checker prints for a file of this source, one string. */
function checked(source: string, ...options: readonly string[]): string {
  mkdirSync(join(root, ".cache"), { recursive: true });
  const folder = mkdtempSync(join(root, ".cache/type-checking-"));
  try {
    writeFileSync(join(folder, "program.ts"), source);
    writeFileSync(
      join(folder, "tsconfig.json"),
      JSON.stringify({ extends: join(root, "tsconfig.json"), include: ["program.ts"] }),
    );
    return spawnSync(process.execPath, [tsc, "-p", folder, "--pretty", "false", ...options], { encoding: "utf8" })
      .stdout;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

typeChecking("mistakes are explained in a sentence", () => {
  const text = checked(`
    import { cgroup, PROCEED } from "../../src/dsl/index.ts";
    cgroup.connect4("p", (b, ctx) => {
      b.if(ctx.userPort.eq(80), () => {});
      b.if(ctx.userPort.eq(ctx.userPort.toHost()), () => {});
      b.if(ctx.protocol.eq(ctx.protocol.to({} as never)), () => {});
      b.if(ctx.protocol.eq(b.getSocketCookie(ctx)), () => {});
      return PROCEED;
    });
    cgroup.recvmsg4("p", (b) => {
      b.setRetval(-1);
      return PROCEED;
    });
  `);
  assert.match(text, "a plain number has no byte order: write be16(…)");
  assert.match(text, "be16 and u16 do not mix: use .toHost()");
  assert.match(text, "u32 and u64 do not mix: convert one with .to(…)");
  assert.match(text, "the kernel has no helper setRetval for programs of cgroup/recvmsg4");
});

function checkBudget(diagnostics: string, budget: number): void {
  const instantiations = Number(diagnostics.match(/^Instantiations:\s+(\d+)/m)![1]);
  assert.ok(
    instantiations > 0 && instantiations < budget,
    `${instantiations} type instantiations, and the budget is ${budget}`,
  );
}

typeChecking("the types of a small program stay cheap", () => {
  const program = `
    import { array, cgroup, PROCEED, u64 } from "tsbpf";
    const connects = array("connects", { value: u64, maxEntries: 1 });
    export const count = cgroup.connect4("count", (b) => {
      b.lookup(connects, 0).orReturn(PROCEED).value.atomicAdd(1);
      return PROCEED;
    });
  `;
  checkBudget(checked(program, "--extendedDiagnostics"), PROGRAM_BUDGET);
});

typeChecking("the types of the project stay cheap", () => {
  const { stdout } = spawnSync(process.execPath, [tsc, "-p", root, "--noEmit", "--extendedDiagnostics"], {
    encoding: "utf8",
  });
  checkBudget(stdout, BUDGET);
});

typeChecking.run();
