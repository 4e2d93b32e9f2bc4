import * as assert from "uvu/assert";
import {
  add,
  call,
  exit,
  jne,
  label,
  load as ldx,
  loadMap,
  mov,
  program,
  type Program,
  r0,
  r1,
  r10,
  r2,
  store,
  w0,
} from "../asm/index.ts";
import { VerifierError } from "../kernel/index.ts";
import { eventually, kernelObjects, kernelSuite, runScriptIn, withCgroup, withPins } from "../testing/index.ts";
import { array, AttachType, ProgramType, u64 } from "../types/index.ts";
import { attach, load, LoaderError, PinDirectory } from "./index.ts";

const test = kernelSuite("loader: attaching to a cgroup");

/** bpf_sock_addr: user_ip4 at offset 4, user_port at 24; both big-endian in memory. */
const USER_IP4 = 4;
const USER_PORT = 24;
const bigEndian16 = (port: number) => ((port & 255) << 8) | (port >> 8);
const LOOPBACK = 0x0100007f;

const OWNER = "tsbpf loader test";
const unique = `t${process.pid}`;
const calls = array(`${unique}_calls`, { value: u64, maxEntries: 1 });

/** Redirects connects to `from` on loopback to port `to`, and adds `step` for every connect. */
function redirect(from: number, to: number, step = 1): Program {
  return program({
    name: `${unique}_c4`,
    type: ProgramType.CGROUP_SOCK_ADDR,
    expectedAttachType: AttachType.CGROUP_INET4_CONNECT,
    section: "cgroup/connect4",
    maps: [calls],
    items: [
      ldx("u32", r0, r1, USER_PORT),
      jne(r0, bigEndian16(from), "count"),
      // Through a register: Linux before 6.4 cannot store a constant in a context.
      mov(r2, LOOPBACK),
      store("u32", r1, USER_IP4, r2),
      mov(r2, bigEndian16(to)),
      store("u32", r1, USER_PORT, r2),
      label("count"),
      store("u32", r10, -4, 0),
      mov(r2, r10),
      add(r2, -4),
      loadMap(r1, calls),
      call("bpf_map_lookup_elem"),
      jne(r0, 0, "found"),
      mov(w0, 1),
      exit(),
      label("found"),
      ldx("u64", r1, r0, 0),
      add(r1, step),
      store("u64", r0, 0, r1),
      mov(w0, 1),
      exit(),
    ],
  });
}

/** A script that serves on one port and connects to another; it prints the local port that the server saw. */
const connectThrough = (port: number) => `
  import net from "node:net";
  const server = net.createServer((socket) => socket.end(String(socket.localPort)));
  await new Promise((done) => server.listen(${port + 1}, "127.0.0.1", done));
  const answer = await new Promise((done) => {
    const socket = net.connect(${port}, "127.0.0.1");
    let text = "";
    socket.on("data", (data) => (text += data)).on("end", () => done(text)).on("error", (error) => done(error.code));
  });
  server.close();
  console.log(JSON.stringify(answer));
`;

test("a connect program redirects, is pinned, replaced and removed", async () => {
  await withCgroup((cgroup) =>
    withPins(OWNER, async (directory) => {
      const port = 20_000 + (process.pid % 20_000);
      {
        const pins = PinDirectory.create(directory, OWNER);
        const first = load([redirect(port, port + 1)], { pins });
        const attached = attach(first, { cgroup, pins });
        assert.equal(
          attached.attachments.map(({ how }) => how),
          ["attached"],
        );
        assert.is(await runScriptIn({ cgroup }, connectThrough(port)), String(port + 1));
        assert.is(first.map(calls).get(0), 1n);
        attached.close();
        first.close();
      }
      assert.is(await runScriptIn({ cgroup }, connectThrough(port)), String(port + 1), "it works without a process");

      const pins = PinDirectory.open(directory, OWNER)!;
      const map = pins.map(calls);
      assert.is(map.get(0), 2n);
      const link = pins.links()[0]!;
      const second = load([redirect(port, port + 1, 10)], { pins });
      const attached = attach(second, { cgroup, pins });
      assert.equal(
        attached.attachments.map(({ how }) => how),
        ["replaced"],
      );
      assert.is(pins.links()[0]!.link.id, link.link.id);
      assert.is.not(pins.links()[0]!.program!.id, link.program!.id);
      attached.close();
      second.close();
      await runScriptIn({ cgroup }, connectThrough(port));
      assert.is(map.get(0), 12n, "the map stayed, and the new program counts in tens");
      map.close();

      assert.equal(pins.removeAll(), {
        links: [`${unique}_c4`],
        programs: [`${unique}_c4`],
        maps: [`${unique}_calls`],
      });
      assert.is(await runScriptIn({ cgroup }, connectThrough(port)), "ECONNREFUSED");
      assert.is(PinDirectory.open(directory, OWNER), undefined);
      await eventually(() => assert.equal(kernelObjects(new RegExp(`^${unique}`)), { programs: [], maps: [] }));
    }),
  );
});

test("a refused program leaves nothing behind", async () => {
  const good = redirect(1, 2);
  const bad = program({ ...good, name: `${unique}_bad`, items: [mov(r0, 7), exit()] });
  assert.throws(
    () => load([good, bad]),
    (error: unknown) => error instanceof VerifierError && error.slot === 1 && /should have been in/.test(error.reason),
  );
  await eventually(() => assert.equal(kernelObjects(new RegExp(`^${unique}`)), { programs: [], maps: [] }));
});

test("attaching outside a cgroup fails", () => {
  using collection = load([redirect(1, 2)]);
  for (const [cgroup, reason] of [
    ["/nowhere", /no such directory/],
    ["/tmp", /not in a cgroup v2/],
    ["/etc/passwd", /not a directory/],
  ] as const) {
    assert.throws(
      () => attach(collection, { cgroup }),
      (error: unknown) => error instanceof LoaderError && reason.test(error.message) && error.hint !== undefined,
    );
  }
});

test.run();
