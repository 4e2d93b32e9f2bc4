import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import * as assert from "uvu/assert";
import { toolSuite, TSX } from "../testing/index.ts";

const test = toolSuite("cli: progress", ["python3"]);

const MODULE = fileURLToPath(new URL("progress.ts", import.meta.url));

/** Runs work of two steps, which keeps its thread busy for the milliseconds, and returns what a terminal gets. */
function onTerminal(milliseconds: number, silent: boolean): string {
  const script = `
    import { withProgress } from ${JSON.stringify(MODULE)};
    const busy = (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
    const result = await withProgress(${silent}, async (step) => {
      step("first step");
      busy(${milliseconds} / 2);
      step("second step");
      busy(${milliseconds} / 2);
      return "done";
    });
    process.stderr.write(result);
  `;
  const pty = "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)";
  const node = [process.execPath, ...TSX, "--input-type=module", "--eval", script];
  const { status, stdout } = spawnSync("python3", ["-c", pty, ...node], { encoding: "utf8" });
  assert.is(status, 0, stdout);
  return stdout;
}

test("long work shows its steps with the seconds, though its thread is busy, and clears them", () => {
  const text = onTerminal(4000, false);
  assert.match(text, /\r\x1b\[Kfirst step, 1 s/);
  assert.match(text, /\r\x1b\[Ksecond step, [23] s/);
  assert.match(text, /\r\x1b\[Kdone$/);
});

test("quick work, silent work and work without a terminal show nothing", () => {
  assert.is(onTerminal(100, false), "done");
  assert.is(onTerminal(1600, true), "done");
});

test.run();
