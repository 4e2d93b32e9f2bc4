/** What a long command is doing, on a terminal. */
import { Worker } from "node:worker_threads";

/** Milliseconds that a command may take without a word. */
const QUIET = 1000;

/** Shows the step in `workerData` and those of its messages, with the seconds since the beginning. */
const SHOW = `
  const { parentPort, workerData } = require("node:worker_threads");
  const { writeSync } = require("node:fs");
  let step = "";
  const begun = Date.now();
  parentPort.on("message", (next) => (step = next));
  setTimeout(() => setInterval(() => {
    Atomics.store(workerData.shown, 0, 1);
    writeSync(2, "\\r\\x1b[K" + step + ", " + Math.floor((Date.now() - begun) / 1000) + " s");
  }, 200), workerData.quiet);
`;

/**
 * Runs work that may take long and tells its steps. They appear on standard error once it has taken a second, if
 * that is a terminal and `silent` is false, and disappear at the end. A thread shows them, since system calls and
 * planning keep this one busy.
 */
export async function withProgress<T>(silent: boolean, work: (step: (text: string) => void) => Promise<T>): Promise<T> {
  if (silent || process.stderr.isTTY !== true) return work(() => {});
  const shown = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(SHOW, { eval: true, workerData: { shown, quiet: QUIET }, execArgv: [] });
  try {
    return await work((text) => worker.postMessage(text));
  } finally {
    await worker.terminate();
    if (Atomics.load(shown, 0) === 1) process.stderr.write("\r\x1b[K");
  }
}
