import type { Test } from "uvu";
import { kernelSuite, whyNoKernel } from "../../src/testing/index.ts";
import { withDataPath, type DataPath, type DataPathSetup } from "./data-path.ts";
import { findPython } from "./python.ts";
import type { SocketClient } from "./socket-client.ts";

/** What each test of a `dataPathSuite` is given. */
export interface DataPathContext {
  /** The same one for all tests of the suite; without services at the start of each. */
  dataPath: DataPath;
  /** A client process of the test's own, or of the suite's. */
  client: SocketClient;
}

export interface DataPathSuiteSetup extends DataPathSetup {
  /** Whether all tests have one client, for suites of many short ones, which close their sockets themselves; default false. */
  readonly oneClient?: boolean;
}

/**
 * A suite of tests on one data path. Where the kernel or Python for the clients
 * is not to be had, its tests are skipped, and a line on standard error says so.
 */
export function dataPathSuite(name: string, setup: DataPathSuiteSetup = {}): Test<DataPathContext> {
  const test = kernelSuite<DataPathContext>(name);
  if (whyNoKernel() !== undefined) return test;
  if (findPython() === undefined) {
    process.stderr.write(
      `SKIPPED, all tests of "${name}": their clients are written in Python, and there is no python3\n`,
    );
    return Object.assign(((title, work) => test.skip(title, work)) as Test<DataPathContext>, test);
  }
  let release = () => {};
  let closed: Promise<void> = Promise.resolve();
  test.before(
    (context) =>
      new Promise<void>((resolve, reject) => {
        closed = withDataPath(setup, (dataPath) => {
          context.dataPath = dataPath;
          resolve();
          return new Promise((done) => (release = done));
        });
        closed.catch(reject);
      }),
  );
  test.before.each((context) => {
    if (!setup.oneClient || context.client === undefined) context.client = context.dataPath.client();
  });
  test.after.each(({ dataPath }) => (setup.oneClient ? dataPath.clear() : dataPath.reset()));
  test.after(async () => {
    release();
    await closed;
  });
  return test;
}
