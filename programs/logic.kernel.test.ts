/** Plays the cases of logic.test.ts with real sockets, and expects the simulator's outcome. */
import * as assert from "uvu/assert";
import { dataPathSuite, type SocketClient } from "./testing/index.ts";
import { KernelStage } from "./testing/logic/kernel-stage.ts";
import { cases, HOSTS, isFor, LISTENING, playedBuilds } from "./testing/logic/index.ts";

for (const [build, options] of playedBuilds) {
  const test = dataPathSuite(`logic on the kernel: ${build} build`, {
    options,
    oneClient: true,
    container: true,
    addresses: [...HOSTS[4], ...HOSTS[6]],
    backends: { tcp: LISTENING, udp: LISTENING },
  });
  let container: SocketClient | undefined;
  for (const { name, play } of cases.filter((each) => isFor(each, options))) {
    test(name, async ({ dataPath, client }) => {
      container ??= dataPath.client("container");
      const stage = new KernelStage(dataPath, { host: client, container }, options);
      try {
        await play(stage);
      } finally {
        await stage.end();
      }
      assert.equal(stage.reverseEntries(), [], "closed sockets leave nothing");
    });
  }
  test.run();
}
