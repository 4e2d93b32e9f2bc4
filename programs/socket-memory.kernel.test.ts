/** No memory for what a socket is to remember: the call is refused, and nothing answers from a backend's address. */
import * as assert from "uvu/assert";
import { counted } from "./testing/counters.ts";
import { mapsFor } from "./testing/service-table.ts";
import { BACKENDS, BACKENDS6, dataPathSuite, errnoOf, SERVICE, SERVICE6 } from "./testing/index.ts";

/** Bytes that a socket may take for its options and its storage (socket(7)): of a network namespace, or of all. */
const OPTMEM_MAX = "/proc/sys/net/core/optmem_max";

const kinds = [
  { name: "IPv4", family: 4, service: SERVICE, asked: SERVICE, backends: BACKENDS },
  {
    name: "IPv4 mapped",
    family: 6,
    service: SERVICE,
    asked: { ...SERVICE, address: `::ffff:${SERVICE.address}` },
    backends: BACKENDS,
  },
  { name: "IPv6", family: 6, service: SERVICE6, asked: SERVICE6, backends: BACKENDS6 },
] as const;

for (const [setRetval, errno] of [
  [true, "ENOBUFS"],
  [false, "EPERM"],
] as const) {
  const test = dataPathSuite(`data path: no memory for a socket's flows, ${errno}`, {
    options: { ipv6: true, setRetval, rememberStreams: true, metrics: true },
  });

  for (const { name, family, service, asked, backends } of kinds) {
    test(`${name}: datagrams, connected and not, and streams`, async ({ dataPath, client }) => {
      dataPath.setService(service, "udp", backends, 5);
      dataPath.setService(service, "tcp", backends, 6);
      const countersOf = (revNatIndex: number) =>
        counted(dataPath.map(mapsFor(service.address).metrics).get(revNatIndex)!);
      const { stdout: maximum } = await dataPath.run("cat", OPTMEM_MAX);
      const limit = (bytes: string) => dataPath.run("sh", "-c", `echo ${bytes.trim()} > ${OPTMEM_MAX}`);
      try {
        await limit("1");
        const [sending, connecting, stream] = [
          await client.open("udp", family),
          await client.open("udp", family),
          await client.open("tcp", family),
        ];
        for (let i = 0; i < 2; i++) {
          assert.is(await errnoOf(sending.send("hello", asked)), errno);
          assert.is(await errnoOf(connecting.connect(asked)), errno);
          assert.is(await errnoOf(stream.connect(asked)), errno);
        }
        assert.is(await errnoOf(connecting.peer()), "ENOTCONN");
        assert.equal(countersOf(5), { notRemembered: 4 });
        assert.equal(countersOf(6), { notRemembered: 2 });
        await limit(maximum);
        const { address, port } = await sending.exchange("hello", asked);
        assert.equal({ address, port }, asked);
      } finally {
        await limit(maximum);
      }
    });
  }

  test.run();
}
