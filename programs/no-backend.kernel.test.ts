import * as assert from "uvu/assert";
import { dataPathSuite, errnoOf, SERVICE } from "./testing/index.ts";

// A kernel without bpf_set_retval has EPERM alone to say; built for it, the programs do so on any kernel.
for (const [setRetval, errno] of [[true, "EHOSTUNREACH"], [false, "EPERM"]] as const) {
  const test = dataPathSuite(`data path: a service without backends, setRetval ${setRetval}`, { options: { setRetval } });

  test(`the call fails with ${errno}`, async ({ dataPath, client }) => {
    for (const protocol of ["tcp", "udp"] as const) dataPath.setService(SERVICE, protocol, []);
    assert.is(await errnoOf((await client.open("tcp")).connect(SERVICE)), errno, "TCP connect");
    assert.is(await errnoOf((await client.open("tcp")).connectNonBlocking(SERVICE)), errno, "TCP connect, non-blocking");
    assert.is(await errnoOf((await client.open("udp")).connect(SERVICE)), errno, "UDP connect");
    assert.is(await errnoOf((await client.open("udp")).send("hello", SERVICE)), errno, "UDP send");
    assert.equal(dataPath.reverseEntries(), []);
  });

  test.run();
}
