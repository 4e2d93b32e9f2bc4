import * as assert from "uvu/assert";
import { BACKENDS, dataPathSuite, endpoint, SERVICE } from "./testing/index.ts";

const GET = "GET / HTTP/1.1\r\nHost: test\r\n\r\n";

for (const [rememberStreams, peer] of [
  [false, "its backend"],
  [true, "the service"],
] as const) {
  const test = dataPathSuite(`data path: TCP, rememberStreams ${rememberStreams}`, { options: { rememberStreams } });

  test(`getpeername of a connection returns ${peer}; the reverse map stays empty`, async ({ dataPath, client }) => {
    dataPath.setService(SERVICE, "tcp", [BACKENDS[1]]);
    const socket = await client.open("tcp");
    await socket.connect(SERVICE);
    assert.equal(await socket.peer(), rememberStreams ? SERVICE : endpoint(BACKENDS[1]));
    assert.is((await socket.exchange(GET)).text, BACKENDS[1]);
    assert.equal(dataPath.reverseEntries(), []);
  });

  test("a non-blocking connect", async ({ dataPath, client }) => {
    dataPath.setService(SERVICE, "tcp", [BACKENDS[0]]);
    const socket = await client.open("tcp");
    await socket.connectNonBlocking(SERVICE);
    assert.is((await socket.exchange(GET)).text, BACKENDS[0]);
  });

  test("MPTCP uses the services of TCP", async ({ dataPath, client }) => {
    dataPath.setService(SERVICE, "tcp", [BACKENDS[0]]);
    const socket = await client.openIfSupported("mptcp", "MPTCP");
    if (socket === undefined) return;
    await socket.connect(SERVICE);
    assert.is((await socket.exchange(GET)).text, BACKENDS[0]);
  });

  test("a connection opened by sending (TCP Fast Open)", async ({ dataPath, client }) => {
    dataPath.setService(SERVICE, "tcp", [BACKENDS[0]]);
    const socket = await client.open("tcp");
    await socket.fastOpen(GET, SERVICE);
    assert.is((await socket.receive()).text, BACKENDS[0]);
    assert.equal(await socket.peer(), rememberStreams ? SERVICE : endpoint(BACKENDS[0]));
  });

  test.run();
}
