import type { Test } from "uvu";
import { kernelSuite, whyNoKernel } from "../../src/testing/index.ts";
import { withDataPath, type DataPath, type DataPathSetup } from "./data-path.ts";
import { findPython } from "./python.ts";
import type { SocketClient } from "./socket-client.ts";

/** The context of each test of a `dataPathSuite`. */
export interface DataPathContext {
  /** Shared by all tests of the suite; each test starts without services. */
  dataPath: DataPath;
  /** A client process, one for each test or with `oneClient` one for the suite. */
  client: SocketClient;
}

export interface DataPathSuiteSetup extends DataPathSetup {
  /** Whether all tests share one client and close their own sockets: faster for many short tests. Default: false. */
  readonly oneClient?: boolean;
}

/** A suite of tests on one data path. Without a kernel or Python it skips its tests and says so on standard error. */
export function dataPathSuite(name: string, setup: DataPathSuiteSetup = {}): Test<DataPathContext> {
  const test = kernelSuite<DataPathContext>(name);
  if (whyNoKernel() !== undefined) return test;
  if (findPython() === undefined) {
    process.stderr.write(`SKIPPED, all tests of "${name}": their clients need python3, which is missing\n`);
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
