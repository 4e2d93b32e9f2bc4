/** What sockets that are open see of a reload. */
import * as assert from "uvu/assert";
import { SocketClient } from "../../programs/testing/index.ts";
import { startBackends } from "../../programs/testing/backend-server.ts";
import { toolSuite, withCgroup, withNetworkNamespace, withPins, type Place } from "../testing/index.ts";
import { loadBalancerStatus, loadLoadBalancer, OWNER, parseConfig, type LoadResult } from "./index.ts";

const test = toolSuite("reload", ["python3"], { kernel: true });

const SERVICE = { address: "100.0.0.1", port: 53 };
const ADDRESSES = ["20.0.0.1", "20.0.0.2", "20.0.0.3"];
const endpoints = (addresses: readonly string[]) => addresses.map((address) => `${address}:53`);

interface Setting {
  /** Loads the service with these backends. */
  readonly load: (addresses: readonly string[]) => Promise<LoadResult>;
  readonly client: SocketClient;
  readonly pins: string;
}

async function withService(work: (setting: Setting) => Promise<void>): Promise<void> {
  await withNetworkNamespace(ADDRESSES, (networkNamespace) => withCgroup((cgroup) => withPins(OWNER, async (pins) => {
    const place: Required<Place> = { cgroup, networkNamespace };
    const load = (addresses: readonly string[]) => loadLoadBalancer({ cgroup, pins, config: parseConfig(JSON.stringify({
      services: [{ name: "dns", ...SERVICE, protocol: "udp", backends: endpoints(addresses) }],
      maps: { services: 16, slots: 64, backends: 64, cilium_lb4_reverse_sk: 256, services6: 16, slots6: 64, backends6: 64, cilium_lb6_reverse_sk: 256 },
    }), "test") });
    await load(ADDRESSES);
    const server = await startBackends({ networkNamespace }, { udp: endpoints(ADDRESSES) });
    const client = new SocketClient(place);
    try {
      await work({ load, client, pins });
    } finally {
      await client.kill();
      server.kill();
    }
  })));
}

test("an unconnected UDP socket keeps its backend while others of the service come and go, and leaves it once it is removed", () => withService(async ({ load, client, pins }) => {
  const sockets = await Promise.all([1, 2, 3, 4, 5, 6].map(() => client.open("udp")));
  const ask = async (i: number) => {
    const { text, ...source } = await sockets[i]!.exchange("hello", SERVICE);
    assert.equal(source, SERVICE);
    return text.split(":")[0]!;
  };
  const own: string[] = [];
  for (const i of sockets.keys()) own.push(await ask(i));
  const [kept] = own as [string];
  const [first, second] = ADDRESSES.filter((address) => address !== kept) as [string, string];
  // Each with other slots and another count than the one before; a socket that chose anew would not always come to the same.
  for (const addresses of [[first, kept], [second, first, kept], [kept], [kept, second], [first, kept, second]]) {
    assert.is((await load(addresses)).services.changed, 1);
    for (const [i, before] of own.entries()) {
      const answer = await ask(i);
      if (addresses.includes(before)) assert.is(answer, before, `socket ${i}, with the backends ${addresses.join(", ")}`);
      else assert.ok(addresses.includes(answer), `socket ${i} was answered by ${answer}`);
      own[i] = answer;
    }
  }
  await load([first, second]);
  for (const i of sockets.keys()) assert.is.not(await ask(i), kept);
  assert.is(loadBalancerStatus(pins)!.reverseEntries[0]!.used, sockets.length);
}));

test.run();
