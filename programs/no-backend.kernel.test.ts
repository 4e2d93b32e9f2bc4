import * as assert from "uvu/assert";
import { Errno } from "tsbpf";
import type { DataPathOptions } from "./index.ts";
import { dataPathSuite, errnoOf, SERVICE } from "./testing/index.ts";

const builds: readonly (readonly [
  name: string,
  options: Partial<DataPathOptions>,
  streams: string,
  datagrams: string,
])[] = [
  ["by default", {}, "ECONNREFUSED", "EHOSTUNREACH"],
  ["ECONNREFUSED for all", { noBackendErrno: Errno.ECONNREFUSED }, "ECONNREFUSED", "ECONNREFUSED"],
  ["EHOSTUNREACH for all", { noBackendErrno: Errno.EHOSTUNREACH }, "EHOSTUNREACH", "EHOSTUNREACH"],
  // Without bpf_set_retval a program can only return EPERM, on any kernel.
  ["without bpf_set_retval", { setRetval: false, noBackendErrno: Errno.ECONNREFUSED }, "EPERM", "EPERM"],
];

for (const [name, options, streams, datagrams] of builds) {
  const test = dataPathSuite(`data path: a service without backends, ${name}`, { options });

  test(`streams fail with ${streams}, datagrams with ${datagrams}`, async ({ dataPath, client }) => {
    for (const protocol of ["tcp", "udp"] as const) dataPath.setService(SERVICE, protocol, []);
    assert.is(await errnoOf((await client.open("tcp")).connect(SERVICE)), streams, "TCP connect");
    assert.is(
      await errnoOf((await client.open("tcp")).connectNonBlocking(SERVICE)),
      streams,
      "TCP connect, non-blocking",
    );
    assert.is(await errnoOf((await client.open("udp")).connect(SERVICE)), datagrams, "UDP connect");
    assert.is(await errnoOf((await client.open("udp")).send("hello", SERVICE)), datagrams, "UDP send");
    assert.equal(dataPath.reverseEntries(), []);
  });

  test.run();
}
