import * as assert from "uvu/assert";
import { cgroup, PROCEED, socketFilter, xdp, XdpAction } from "../dsl/index.ts";
import { BpfError } from "../kernel/index.ts";
import { kernelSuite } from "../testing/index.ts";
import { array, u64 } from "../types/index.ts";
import { load } from "./index.ts";

const test = kernelSuite("loader: test runs of loaded programs");

const runs = array("runs", { value: u64, maxEntries: 1 });
const drop = xdp("drop", (b) => {
  b.lookup(runs, 0).ifFound((count) => count.value.atomicAdd(1));
  return XdpAction.DROP;
});
const refused = (code: string, message: RegExp) => (error: unknown) =>
  error instanceof BpfError && error.code === code && message.test(`${error.message}; ${error.hint}`);

test("a program on packets runs as often as asked, and gives value, packet and duration", () => {
  using loaded = load([drop]);
  const packet = Uint8Array.from({ length: 64 }, (_, i) => i);
  const { returnValue, data, duration } = loaded.program("drop").testRun({ data: packet, repeat: 100 });
  assert.is(returnValue, XdpAction.DROP);
  assert.equal([...data], [...packet]);
  assert.ok(duration >= 0);
  assert.is(loaded.map(runs).get(0), 100n);
});

test("the context goes in and comes out", () => {
  const mark = socketFilter("mark", (_, ctx) => ctx.mark);
  using loaded = load([mark]);
  // struct __sk_buff (linux/bpf.h): `mark` lies at byte 8.
  const context = new Uint8Array(192);
  new DataView(context.buffer).setUint32(8, 77, true);
  const run = loaded.program("mark").testRun({ data: new Uint8Array(64), context });
  assert.is(run.returnValue, 77);
  assert.is(new DataView(run.context.buffer, run.context.byteOffset).getUint32(8, true), 77);
});

test("errors name the program: a type that Linux cannot test-run, a packet that is too short", () => {
  using loaded = load([cgroup.connect4("calls", () => PROCEED), drop]);
  assert.throws(
    () => loaded.program("calls").testRun(),
    refused("ENOTSUPP", /^program calls: BPF_PROG_TEST_RUN failed with ENOTSUPP.*use the simulator/),
  );
  assert.throws(
    () => loaded.program("drop").testRun({ data: new Uint8Array(4) }),
    refused("EINVAL", /^program drop: .*at least 14 bytes/),
  );
});

test.run();
