import { suite } from "uvu";
import * as assert from "uvu/assert";
import { World } from "../sim/index.ts";
import { array, struct, u32, u64 } from "../types/index.ts";
import { BuildError, cgroup, helper, socketFilter } from "./index.ts";

const test = suite("dsl: declared helpers");

test("arguments and result are those of the kernel's documentation", () => {
  const seen: unknown[] = [];
  const world = new World({
    helpers: {
      bpf_csum_level: (call) => {
        seen.push(call.u64(2));
        return -22;
      },
      bpf_get_route_realm: () => 0x1_0000_0007n,
    },
  });
  const csumLevel = helper("bpf_csum_level");
  const getRouteRealm = helper("bpf_get_route_realm");
  const program = socketFilter("p", (b, ctx) => {
    b.if(csumLevel(b, ctx, 3).eq(-22), () => b.return(getRouteRealm(b, ctx)));
    // @ts-expect-error the level is not a context
    void (() => csumLevel(b, ctx, ctx));
    // @ts-expect-error the level is missing
    void (() => csumLevel(b, ctx));
    return 0;
  });
  assert.is(world.run(program).returned, 7);
  assert.equal(seen, [3n]);
});

test("a prototype by hand takes memory and maps", () => {
  const Comm = struct("comm", { low: u64, high: u64 });
  const world = new World({ task: { comm: "curl" } });
  const getCurrentComm = helper("bpf_get_current_comm", { arguments: ["memory", "u32"], returns: "i64" });
  const names = array("names", { value: u64, maxEntries: 1 });
  const program = cgroup.connect4("p", (b) => {
    const comm = b.zeroed(Comm);
    b.if(getCurrentComm(b, comm, Comm.size).ne(0), () => b.return(0));
    b.lookup(names, 0).ifFound((name) => name.value.set(comm.low));
    return 1;
  });
  assert.is(world.run(program).returned, 1);
  assert.is(world.map(names).get(0), BigInt(Buffer.from("curl\0\0\0\0").readUInt32LE()));
});

test("memory that the helper may have written is read again", () => {
  const counter = array("counter", { value: u32, maxEntries: 1 });
  const world: World = new World({
    helpers: {
      bpf_get_route_realm: () => {
        world.map(counter).set(0, 5);
        return 0;
      },
    },
  });
  const getRouteRealm = helper("bpf_get_route_realm");
  const program = socketFilter("p", (b, ctx) => {
    const value = b.lookup(counter, 0).orReturn(99);
    value.value.set(1);
    void getRouteRealm(b, ctx);
    return value.value;
  });
  assert.is(world.run(program).returned, 5);
});

test("unsupported arguments and results are refused", () => {
  const skStorageGet = helper("bpf_sk_lookup_tcp");
  const program = socketFilter("p", (b, ctx) => {
    const tuple = b.zeroed(struct("tuple", { a: u64 }));
    // @ts-expect-error a result without a schema is not a number
    b.return(skStorageGet(b, ctx, tuple, 8, 0n, 0n));
    return 0;
  });
  assert.throws(
    () => program.build(),
    (error: unknown) => error instanceof BuildError && /returns an address/.test(error.message),
  );
});

test.run();
