import { spawn } from "node:child_process";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { TSX } from "../testing/index.ts";

const test = suite("uninterrupted");

/** Runs a script with `uninterrupted`; returns its output and the signal that ended it. */
function run(script: string): Promise<{ output: string; signal: NodeJS.Signals | null }> {
  const module = JSON.stringify(new URL("uninterrupted.ts", import.meta.url));
  const child = spawn(
    process.execPath,
    [...TSX, "--input-type=module", "--eval", `const { uninterrupted } = await import(${module}); ${script}`],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  let output = "";
  child.stdout.on("data", (data) => (output += String(data)));
  return new Promise((resolve) => child.on("close", (_, signal) => resolve({ output, signal })));
}

test("an interrupt takes effect after the work, even if the work never yields", async () => {
  const { output, signal } = await run(`
    await uninterrupted(async () => {
      process.kill(process.pid, "SIGINT");
      const end = Date.now() + 50;
      while (Date.now() < end);
      console.log("done");
    });
    console.log("went on");
  `);
  assert.is(signal, "SIGINT");
  assert.is(output, "done\n");
});

test("signals work as usual without an interrupt and afterwards", async () => {
  const { output, signal } = await run(`
    console.log(await uninterrupted(async () => 7) + " " + process.listenerCount("SIGINT"));
    process.kill(process.pid, "SIGTERM");
    setTimeout(() => console.log("went on"), 1000);
  `);
  assert.is(signal, "SIGTERM");
  assert.is(output, "7 0\n");
});

test.run();
