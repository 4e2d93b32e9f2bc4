/** Programs in a simulated kernel: contexts, helpers, sockets, tail calls, callbacks, coverage. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  add,
  call,
  callKernel,
  exit,
  type HelperName,
  type Item,
  jeq,
  jne,
  label,
  load,
  loadAbsolute,
  loadFunction,
  loadMap,
  loadMapValue,
  mov,
  program,
  type Program,
  r0,
  r1,
  r10,
  r2,
  r3,
  r4,
  r5,
  r6,
  r7,
  store,
  sub,
  w2,
} from "../asm/index.ts";
import {
  array,
  AttachType,
  hash,
  type MapDefinition,
  MapFlag,
  progArray,
  ProgramType,
  ringbuf,
  skStorage,
  u64,
} from "../types/index.ts";
import { simulate, SimulatedMaps, SimulationFault, World } from "./index.ts";

const test = suite("simulated kernel");

const hooks = {
  connect4: [ProgramType.CGROUP_SOCK_ADDR, AttachType.CGROUP_INET4_CONNECT, "cgroup/connect4"],
  connect6: [ProgramType.CGROUP_SOCK_ADDR, AttachType.CGROUP_INET6_CONNECT, "cgroup/connect6"],
  recvmsg4: [ProgramType.CGROUP_SOCK_ADDR, AttachType.CGROUP_UDP4_RECVMSG, "cgroup/recvmsg4"],
  sendmsg4: [ProgramType.CGROUP_SOCK_ADDR, AttachType.CGROUP_UDP4_SENDMSG, "cgroup/sendmsg4"],
  sockRelease: [ProgramType.CGROUP_SOCK, AttachType.CGROUP_INET_SOCK_RELEASE, "cgroup/sock_release"],
  xdp: [ProgramType.XDP, AttachType.XDP, "xdp"],
  socketFilter: [ProgramType.SOCKET_FILTER, undefined, "socket"],
} as const;

function make(hook: keyof typeof hooks, items: readonly Item[], maps: readonly MapDefinition[] = []): Program {
  const [type, expectedAttachType, section] = hooks[hook];
  return program({
    name: hook,
    type,
    section,
    items: [...items, exit()],
    maps,
    ...(expectedAttachType !== undefined && { expectedAttachType }),
  });
}

const faultOf = (work: () => unknown): SimulationFault => {
  try {
    work();
  } catch (error) {
    if (error instanceof SimulationFault) return error;
    throw error;
  }
  throw new Error("the program ran without a fault");
};

/** Calls a helper with the context in r1, after some items. */
const helper = (name: HelperName, ...items: Item[]): Item[] => [...items, call(name)];

test("a context is read and written as typed values", () => {
  const swap = make("connect4", [
    load("u32", r2, r1, 4),
    load("u32", r3, r1, 24),
    load("u32", r4, r1, 36),
    store("u32", r1, 4, 0x0200_000a),
    store("u32", r1, 24, 0x901f),
    mov(r0, r4),
  ]);
  const { returned, ctx, steps } = simulate(swap, { ctx: { userIp4: "100.0.0.1", userPort: 80, protocol: "tcp" } });
  assert.is(returned, 6);
  assert.is(ctx.userIp4, "10.0.0.2");
  assert.is(ctx.userPort, 8080);
  assert.is(ctx.protocol, "tcp");
  assert.is(ctx.family, "inet");
  assert.is(steps, 7);
});

test("a port is in network byte order in the low half of its 32 bits, and only that half is kept", () => {
  const { r0: seen, ctx } = simulate(
    make("connect4", [
      load("u32", r6, r1, 24),
      mov(r2, -1),
      store("u32", r1, 24, r2),
      load("u32", r0, r1, 24),
      sub(r0, r6),
    ]),
    { ctx: { userPort: 0x1234 } },
  );
  assert.is(seen, 0xffffn - 0x3412n);
  assert.is(ctx.userPort, 0xffff);
});

test("an IPv6 address is text", () => {
  const { r0: word, ctx } = simulate(make("connect6", [load("u32", r0, r1, 8), store("u32", r1, 20, 0x0300_0000)]), {
    ctx: { userIp6: "2001:db8::1" },
  });
  assert.is(word, 0xb80d_0120n);
  assert.is(ctx.userIp6, "2001:db8::3");
});

test("unreadable and read-only fields fault; an unknown field is a RangeError", () => {
  assert.match(
    faultOf(() => simulate(make("connect4", [load("u32", r0, r1, 8)]))).reason,
    /cgroup\/connect4 programs have no readable field there/,
  );
  assert.match(faultOf(() => simulate(make("connect4", [store("u32", r1, 36, 1)]))).reason, /protocol is read-only/);
  assert.match(
    faultOf(() => simulate(make("connect4", [store("u16", r1, 24, 1)]))).reason,
    /userPort must be written whole, as 4 bytes/,
  );
  assert.match(
    faultOf(() => simulate(make("connect4", [load("u32", r0, r1, 72)]))).reason,
    /past the end of the context/,
  );
  assert.throws(
    () => simulate(make("connect4", [mov(r0, 0)]), { ctx: { userIp6: "::1" } }),
    /cannot set field userIp6 of a cgroup\/connect4 context: its fields are .*userIp4/,
  );
  assert.throws(
    () => simulate(make("connect4", [mov(r0, 0)]), { ctx: { userPort: 70_000 } }),
    /userPort to "70000": it has 16 bits/,
  );
  assert.throws(() => simulate(make("connect4", [mov(r0, 0)]), { ctx: { userIp4: "1.2.3" } }), /not an IPv4 address/);
});

test("the result of the system call: EPERM, or the error set by the program", () => {
  const refuse = (value: number) =>
    simulate(make("connect4", [mov(r1, value), call("bpf_set_retval"), call("bpf_get_retval"), mov(r0, 0)])).retval;
  assert.is(simulate(make("connect4", [mov(r0, 1)])).retval, 0);
  assert.is(simulate(make("connect4", [mov(r0, 0)])).retval, -1);
  assert.is(refuse(-113), -113);
  assert.is(refuse(5), -1);
});

const flows = skStorage("flows", { value: u64 });
const counts = hash("counts", { key: u64, value: u64, maxEntries: 2 });

test("several programs share a socket, its storage and maps", () => {
  const world = new World();
  const remember = make(
    "connect4",
    [
      mov(r6, r1),
      load("u64", r2, r1, 64),
      loadMap(r1, flows),
      mov(r3, 0),
      mov(r4, 1),
      call("bpf_sk_storage_get"),
      jeq(r0, 0, "none"),
      store("u64", r0, 0, 77),
      label("none"),
      mov(r0, 1),
    ],
    [flows],
  );
  const recall = make(
    "recvmsg4",
    [
      load("u64", r2, r1, 64),
      loadMap(r1, flows),
      mov(r3, 0),
      mov(r4, 0),
      call("bpf_sk_storage_get"),
      jeq(r0, 0, "none"),
      load("u64", r0, r0, 0),
      label("none"),
    ],
    [flows],
  );
  const socket = world.socket({ protocol: "udp", type: "dgram" });
  assert.is(world.run(recall, { socket }).r0, 0n);
  world.run(remember, { socket, ctx: { userIp4: "100.0.0.1" } });
  assert.is(world.run(recall, { socket }).r0, 77n);
  assert.is(world.run(recall, { socket: world.socket() }).r0, 0n);
  assert.equal([...world.map(flows).entries()], [[socket, 77n]]);
  world.destroy(socket);
  assert.equal([...world.map(flows).entries()], []);
});

test("cookies: of the socket by context and by pointer, and of the namespace", () => {
  const world = new World({ netnsCookie: 5n });
  const socket = world.socket({ cookie: 42n, netnsCookie: 6n });
  assert.is(world.run(make("connect4", helper("bpf_get_socket_cookie")), { socket }).r0, 42n);
  assert.is(world.run(make("sockRelease", helper("bpf_get_socket_cookie")), { socket }).r0, 42n);
  assert.is(world.run(make("connect4", helper("bpf_get_netns_cookie")), { socket }).r0, 6n);
  assert.is(world.run(make("connect4", helper("bpf_get_netns_cookie", mov(r1, 0))), { socket }).r0, 5n);
  assert.is(world.socket().cookie, 43n);
  assert.match(
    faultOf(() => world.run(make("connect4", helper("bpf_get_socket_cookie")))).reason,
    /the run has no socket/,
  );
});

/** Points r2 to a key and r3 to a value on the stack. */
const onStack = (key: number, value: number): Item[] => [
  store("u64", r10, -8, key),
  store("u64", r10, -16, value),
  mov(r2, r10),
  add(r2, -8),
  mov(r3, r10),
  add(r3, -16),
  mov(r4, 0),
];

test("map helpers: lookup, update, delete, and their errors", () => {
  const maps = new SimulatedMaps();
  const run = (...items: Item[]) => simulate(make("connect4", items, [counts]), { maps }).r0;
  const counted = maps.of(counts);
  assert.is(run(loadMap(r1, counts), ...onStack(1, 5), call("bpf_map_update_elem")), 0n);
  assert.is(counted.get(1n), 5n);
  run(loadMap(r1, counts), ...onStack(1, 0), call("bpf_map_lookup_elem"), store("u64", r0, 0, 9));
  assert.is(counted.get(1n), 9n);
  run(loadMap(r1, counts), ...onStack(2, 5), call("bpf_map_update_elem"));
  assert.is(BigInt.asIntN(64, run(loadMap(r1, counts), ...onStack(3, 5), call("bpf_map_update_elem"))), -7n);
  assert.is(run(loadMap(r1, counts), ...onStack(1, 0), call("bpf_map_delete_elem")), 0n);
  assert.is(BigInt.asIntN(64, run(loadMap(r1, counts), ...onStack(1, 0), call("bpf_map_delete_elem"))), -2n);
  assert.equal([...counted], [[2n, 5n]]);
});

test("illegal uses of maps fault", () => {
  const maps = new SimulatedMaps();
  const fault = (...items: Item[]) => faultOf(() => simulate(make("connect4", items, [counts]), { maps })).reason;
  maps.of(counts).set(1n, 1n);
  assert.match(
    fault(loadMap(r1, counts), ...onStack(7, 0), call("bpf_map_lookup_elem"), load("u64", r0, r0, 0)),
    /null pointer/,
  );
  assert.match(
    fault(loadMap(r1, counts), ...onStack(1, 0), call("bpf_map_lookup_elem"), load("u64", r0, r0, 4)),
    /the last 4 past the end of a value of map counts \(8 bytes\)/,
  );
  assert.match(
    fault(
      loadMap(r1, counts),
      ...onStack(1, 0),
      call("bpf_map_lookup_elem"),
      mov(r6, r0),
      loadMap(r1, counts),
      mov(r2, r10),
      add(r2, -8),
      call("bpf_map_delete_elem"),
      load("u64", r0, r6, 0),
    ),
    /which was deleted/,
  );
  assert.match(
    fault(loadMap(r1, counts), load("u64", r0, r1, 0)),
    /map counts, which programs can only pass to helpers/,
  );
  assert.match(
    fault(loadMap(r1, counts), mov(r2, r10), add(r2, -8), call("bpf_map_lookup_elem")),
    /load of 8 bytes at offset 504 of the stack: byte r10-8 was never written/,
  );
  assert.match(
    fault(mov(r2, r10), call("bpf_map_lookup_elem")),
    /r1 points to the context of cgroup\/connect4, not to a map/,
  );
  assert.match(fault(mov(r1, 0), call("bpf_map_lookup_elem")), /null pointer/);
});

test("the address of an array's first value", () => {
  const settings = array("settings", { value: u64, maxEntries: 1 });
  const maps = new SimulatedMaps();
  maps.of(settings).set(0, 0x1122_3344_5566_7788n);
  assert.is(
    simulate(make("connect4", [loadMapValue(r1, settings, 4), load("u32", r0, r1, 0)], [settings]), { maps }).r0,
    0x1122_3344n,
  );
  const constants = array("constants", { value: u64, maxEntries: 1, flags: MapFlag.RDONLY_PROG });
  assert.match(
    faultOf(() => simulate(make("connect4", [loadMapValue(r1, constants), store("u32", r1, 0, 1)], [constants])))
      .reason,
    /constants, which is read-only/,
  );
});

test("time stands still, random numbers are seeded, and both can be overridden", () => {
  const random = make("connect4", helper("bpf_get_prandom_u32"));
  assert.is(simulate(make("connect4", helper("bpf_ktime_get_ns")), { time: 5_000_000_000n }).r0, 5_000_000_000n);
  assert.is(simulate(random, { seed: 7 }).r0, simulate(random, { seed: 7 }).r0);
  assert.is.not(simulate(random, { seed: 7 }).r0, simulate(random, { seed: 8 }).r0);
  assert.is(simulate(random, { random: () => 0xffff_ffff }).r0, 0xffff_ffffn);
});

test("the current process", () => {
  const task = {
    pid: 12,
    tid: 34,
    uid: 56,
    gid: 78,
    comm: "a-long-name-of-a-process",
    cgroupId: 99n,
    ancestorCgroupIds: [1n, 50n],
  };
  const run = (...items: Item[]) => simulate(make("connect4", items), { task }).r0;
  assert.is(run(call("bpf_get_current_pid_tgid")), (12n << 32n) | 34n);
  assert.is(run(call("bpf_get_current_uid_gid")), (78n << 32n) | 56n);
  assert.is(run(call("bpf_get_current_cgroup_id")), 99n);
  assert.equal(
    [-1, 0, 1, 2, 3].map((level) => run(mov(r1, level), call("bpf_get_current_ancestor_cgroup_id"))),
    [0n, 1n, 50n, 99n, 0n],
  );
  const comm = run(mov(r1, r10), add(r1, -8), mov(r2, 8), call("bpf_get_current_comm"), load("u64", r0, r10, -8));
  assert.is(Buffer.from(comm.toString(16).padStart(16, "0"), "hex").reverse().toString("latin1"), "a-long-\0");
});

test("ring buffers: output, reserve and submit; an unfinished record is a fault", () => {
  const events = ringbuf("events", { value: u64, maxEntries: 4096 });
  const world = new World();
  world.run(
    make(
      "connect4",
      [
        store("u64", r10, -8, 5),
        loadMap(r1, events),
        mov(r2, r10),
        add(r2, -8),
        mov(r3, 8),
        mov(r4, 0),
        call("bpf_ringbuf_output"),
      ],
      [events],
    ),
  );
  const reserve = [loadMap(r1, events), mov(r2, 8), mov(r3, 0), call("bpf_ringbuf_reserve"), store("u64", r0, 0, 6)];
  world.run(make("connect4", [...reserve, mov(r1, r0), mov(r2, 0), call("bpf_ringbuf_submit")], [events]));
  assert.equal(world.map(events).read(), [5n, 6n]);
  assert.match(faultOf(() => world.run(make("connect4", reserve, [events]))).reason, /neither submitted nor discarded/);
});

test("bpf_loop and bpf_for_each_map_elem call back", () => {
  const loop = make("connect4", [
    store("u64", r10, -8, 0),
    mov(r1, 10),
    loadFunction(r2, "each"),
    mov(r3, r10),
    add(r3, -8),
    mov(r4, 0),
    call("bpf_loop"),
    load("u64", r1, r10, -8),
    add(r0, r1),
    exit(),
    label("each"),
    load("u64", r3, r2, 0),
    add(r3, r1),
    store("u64", r2, 0, r3),
    mov(r0, 0),
    jne(r1, 4, "end"),
    mov(r0, 1),
    label("end"),
  ]);
  assert.is(simulate(loop).r0, 5n + 0n + 1n + 2n + 3n + 4n);
  const maps = new SimulatedMaps();
  maps.of(counts).setMany([
    [1n, 10n],
    [2n, 20n],
  ]);
  const sum = make(
    "connect4",
    [
      store("u64", r10, -8, 0),
      loadMap(r1, counts),
      loadFunction(r2, "each"),
      mov(r3, r10),
      add(r3, -8),
      mov(r4, 0),
      call("bpf_for_each_map_elem"),
      load("u64", r0, r10, -8),
      exit(),
      label("each"),
      load("u64", r5, r2, 0),
      load("u64", r6, r3, 0),
      load("u64", r7, r4, 0),
      add(r7, r6),
      add(r7, r5),
      store("u64", r4, 0, r7),
      mov(r0, 0),
    ],
    [counts],
  );
  assert.is(simulate(sum, { maps }).r0, 33n);
});

test("tail calls: to another program, to an empty slot, and at most 33", () => {
  const next = progArray("next", { maxEntries: 2 });
  const world = new World();
  const jump = (index: number) =>
    make("connect4", [mov(r6, r1), loadMap(r2, next), mov(r3, index), call("bpf_tail_call"), mov(r0, 5)], [next]);
  world.map(next).set(0, make("connect4", [load("u32", r0, r1, 36)]));
  assert.is(world.run(jump(0), { ctx: { protocol: "udp" } }).r0, 17n);
  assert.is(world.run(jump(1)).r0, 5n);
  const counter = array("counter", { value: u64, maxEntries: 1 });
  world
    .map(next)
    .set(
      1,
      make(
        "connect4",
        [
          loadMapValue(r3, counter),
          load("u64", r2, r3, 0),
          add(r2, 1),
          store("u64", r3, 0, r2),
          loadMap(r2, next),
          mov(r3, 1),
          call("bpf_tail_call"),
          mov(r0, 9),
        ],
        [next, counter],
      ),
    );
  assert.is(world.run(jump(1)).r0, 9n);
  assert.is(world.map(counter).get(0), 33n);
});

test("trace lines are collected", () => {
  const format = "x=%d %u %llx%%";
  const bytes = Buffer.alloc(16);
  bytes.write(format);
  const { trace } = simulate(
    make("connect4", [
      ...[0, 8]
        .map((at) => [
          store("u32", r10, at - 16, bytes.readInt32LE(at)),
          store("u32", r10, at - 12, bytes.readInt32LE(at + 4)),
        ])
        .flat(),
      mov(r1, r10),
      add(r1, -16),
      mov(r2, 16),
      mov(r3, -5),
      mov(r4, 7),
      mov(r5, -1),
      call("bpf_trace_printk"),
      mov(r0, 0),
    ]),
  );
  assert.equal(trace, ["x=-5 7 ffffffffffffffff%"]);
});

test("helpers and kernel functions can be supplied", () => {
  const helpers = { bpf_get_hash_recalc: () => 123n, bpf_ktime_get_ns: () => 9 };
  assert.is(simulate(make("connect4", helper("bpf_get_hash_recalc")), { helpers }).r0, 123n);
  assert.is(simulate(make("connect4", helper("bpf_ktime_get_ns")), { helpers }).r0, 9n);
  assert.match(
    faultOf(() => simulate(make("connect4", helper("bpf_get_hash_recalc")))).message,
    /call bpf_get_hash_recalc#34.*does not implement helper 34/,
  );
  const kernelFunctions = { bpf_answer: () => 42 };
  assert.is(simulate(make("connect4", [callKernel("bpf_answer")]), { kernelFunctions }).r0, 42n);
  assert.match(
    faultOf(() => simulate(make("connect4", [callKernel("bpf_answer")]))).reason,
    /does not implement kernel function bpf_answer/,
  );
});

test("packets: by pointers, with bounds checks, and by legacy loads", () => {
  const first = make("xdp", [
    load("u32", r2, r1, 0),
    load("u32", r3, r1, 4),
    mov(r0, r3),
    sub(r0, r2),
    load("u8", r4, r2, 1),
    store("u8", r2, 0, r4),
  ]);
  const { returned, packet } = simulate(first, { packet: Uint8Array.of(1, 2, 3) });
  assert.is(returned, 3);
  assert.equal([...packet!], [2, 2, 3]);
  assert.match(
    faultOf(() =>
      simulate(make("xdp", [load("u32", r2, r1, 0), load("u8", r0, r2, 3)]), { packet: Uint8Array.of(1, 2, 3) }),
    ).reason,
    /past the end of the packet/,
  );
  assert.is(
    simulate(make("socketFilter", [mov(r6, r1), loadAbsolute("u16", 1)]), { packet: Uint8Array.of(1, 2, 3) }).returned,
    0x0203,
  );
});

test("an uncompiled program is compiled once", () => {
  let compilations = 0;
  const source = {
    compile() {
      compilations++;
      return make("connect4", [mov(r0, 1)]);
    },
  };
  const world = new World();
  assert.is(world.run(source).returned + world.run(source).returned, 2);
  assert.is(simulate(source).coverage.complete && world.coverage(source).complete, true);
  assert.is(compilations, 1);
});

test("reading unwritten stack can be allowed, and yields zero", () => {
  const read = make("connect4", [load("u64", r0, r10, -8)]);
  assert.match(faultOf(() => simulate(read)).reason, /never written/);
  assert.is(simulate(read, { checkUnsetStack: false }).r0, 0n);
});

test("coverage by line of TypeScript: executed instructions and outcomes of branches", () => {
  const at = (line: number, item: Item): Item =>
    ({ ...item, source: { file: "/p/program.ts", line, column: 1 } }) as Item;
  const branch = make("connect4", [
    at(1, load("u32", r2, r1, 36)),
    at(2, jeq(w2, 6, "tcp")),
    at(3, mov(r0, 0)),
    at(3, exit()),
    label("tcp"),
    at(4, mov(r0, 1)),
  ]);
  const world = new World();
  world.run(branch, { ctx: { protocol: "tcp" } });
  const one = world.coverage(branch);
  assert.is(one.complete, false);
  assert.equal(
    one.branches.map(({ index, taken, notTaken }) => [index, taken, notTaken]),
    [[1, 1, 0]],
  );
  assert.is(
    one.report(),
    [
      "program.ts",
      "        1      1",
      "        1      2  always jumps at 1: if w2 == 0x6 goto +2",
      "        0      3  never run",
      "        1      4",
      "instructions 4 of 6",
      "branches     1 of 2",
      "",
    ].join("\n"),
  );
  world.run(branch, { ctx: { protocol: "udp" } });
  assert.is(world.coverage(branch).complete, true);
  assert.equal(
    world
      .coverage(branch)
      .lines.map(({ source, hits, executedInstructions }) => [source.line, hits, executedInstructions]),
    [
      [1, 2, 1],
      [2, 2, 1],
      [3, 1, 2],
      [4, 1, 1],
    ],
  );
  const merged = simulate(branch, { ctx: { protocol: "udp" } }).coverage;
  assert.is(merged.complete, false);
  merged.merge(one);
  assert.is(merged.complete, true);
});

test.run();
