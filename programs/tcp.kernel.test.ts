import * as assert from "uvu/assert";
import { BACKENDS, dataPathSuite, endpoint, SERVICE, type SocketKind } from "./testing/index.ts";

const GET = "GET / HTTP/1.1\r\nHost: test\r\n\r\n";

for (const [rememberStreams, peer] of [[false, "its backend"], [true, "the service"]] as const) {
  const test = dataPathSuite(`data path: TCP, rememberStreams ${rememberStreams}`, { options: { rememberStreams } });

  test(`a connection, asked for its peer, names ${peer}; the reverse map has no part in it`, async ({ dataPath, client }) => {
    dataPath.setService(SERVICE, "tcp", [BACKENDS[1]]);
    const socket = await client.open("tcp");
    await socket.connect(SERVICE);
    assert.equal(await socket.peer(), rememberStreams ? SERVICE : endpoint(BACKENDS[1]));
    assert.is((await socket.exchange(GET)).text, BACKENDS[1]);
    assert.equal(dataPath.reverseEntries(), []);
  });

  test("connects that do not wait, and MPTCP", async ({ dataPath, client }) => {
    dataPath.setService(SERVICE, "tcp", [BACKENDS[0]]);
    for (const [kind, how] of [["tcp", "connectNonBlocking"], ["mptcp", "connect"]] as const satisfies (readonly [SocketKind, string])[]) {
      const socket = await client.open(kind);
      await socket[how](SERVICE);
      assert.is((await socket.exchange(GET)).text, BACKENDS[0], `${kind} ${how}`);
    }
  });

  test("a connection that is opened by sending (TCP Fast Open)", async ({ dataPath, client }) => {
    dataPath.setService(SERVICE, "tcp", [BACKENDS[0]]);
    const socket = await client.open("tcp");
    await socket.fastOpen(GET, SERVICE);
    assert.is((await socket.receive()).text, BACKENDS[0]);
    assert.equal(await socket.peer(), rememberStreams ? SERVICE : endpoint(BACKENDS[0]));
  });

  test.run();
}
