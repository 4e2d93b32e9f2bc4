import { mkdtempSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { exit, type Item, loadMap, loadMapValue, mov, program, type Program, r0, r1 } from "../asm/index.ts";
import { BpfError, Errno } from "../kernel/index.ts";
import { cgroup, PROCEED, xdp, XdpAction } from "../dsl/index.ts";
import { FakeKernel } from "../testing/fake-kernel.ts";
import {
  array,
  AttachType,
  global,
  hash,
  lruHash,
  type MapDefinition,
  ProgramType,
  readOnlyGlobal,
  ringbuf,
  skStorage,
  struct,
  u32,
  u64,
  type Schema,
} from "../types/index.ts";
import { attach, checkHost, checkManager, load, LoaderError, PinDirectory } from "./index.ts";

const test = suite<{ fake: FakeKernel; directory: string }>("loader: on a kernel in memory");

test.before.each((context) => {
  context.fake = new FakeKernel();
  context.directory = mkdtempSync(join(tmpdir(), "tsbpf-loader-"));
  context.fake.cgroupId = statSync(context.directory, { bigint: true }).ino;
});
test.after.each(({ directory }) => rmSync(directory, { recursive: true }));

const first = array("first", { value: u64, maxEntries: 4 });
const second = hash("second", { key: u32, value: u64, maxEntries: 10 });
const OWNER = "test";

function using(name: string, maps: readonly MapDefinition[], items: readonly Item[] = []): Program {
  return program({
    name,
    type: ProgramType.CGROUP_SOCK_ADDR,
    expectedAttachType: AttachType.CGROUP_INET4_CONNECT,
    section: "cgroup/connect4",
    maps,
    items: [...items, ...maps.map((map) => loadMap(r1, map)), mov(r0, 1), exit()],
  });
}

const isLoaderError = (form: RegExp) => (error: unknown) => error instanceof LoaderError && form.test(error.message);

test("a map used by two programs is created once, and both get its descriptor", ({ fake }) => {
  const collection = load([using("a", [first]), using("b", [second, first])], { kernel: fake.kernel });
  assert.is(fake.ids("map").length, 2);
  const descriptor = collection.maps.get("first")!.fd.number;
  const code = (name: string) => {
    const object = [...fake.objects.values()].find((o) => o.kind === "program" && o.load.name === name)!;
    return object.kind === "program" ? Buffer.from(object.load.code) : Buffer.alloc(0);
  };
  assert.is(code("a").readInt32LE(4), descriptor);
  assert.is(code("a").readUInt8(1), 0x11, "r1, and BPF_PSEUDO_MAP_FD");
  assert.is(code("b").readInt32LE(16 + 4), descriptor);
  collection.close();
  assert.equal(fake.openKinds(), []);
});

test("the address of a value refers to the map and the offset", ({ fake }) => {
  const collection = load([using("a", [first], [loadMapValue(r1, first, 24)])], { kernel: fake.kernel });
  const object = [...fake.objects.values()].find((o) => o.kind === "program");
  const code = Buffer.from(object!.kind === "program" ? object!.load.code : []);
  assert.is(code.readUInt8(1), 0x21, "r1, and BPF_PSEUDO_MAP_VALUE");
  assert.is(code.readInt32LE(4), collection.maps.get("first")!.fd.number);
  assert.is(code.readInt32LE(12), 24);
  collection.close();
});

test("sizes can be given by name; an unknown name is an error", ({ fake }) => {
  withOpen(load([using("a", [second])], { kernel: fake.kernel, maxEntries: { second: 77 } }), (collection) => {
    assert.is(collection.map(second).maxEntries, 77);
  });
  assert.throws(
    () => load([using("a", [second])], { kernel: fake.kernel, maxEntries: { secnod: 77 } }),
    isLoaderError(/secnod/),
  );
});

test("two different maps or two programs of one name are refused without a system call", ({ fake }) => {
  const other = hash("second", { key: u32, value: u32, maxEntries: 10 });
  assert.throws(
    () => load([using("a", [second]), using("b", [other])], { kernel: fake.kernel }),
    isLoaderError(/two different maps are called second/),
  );
  assert.throws(
    () => load([using("a", [second]), using("a", [])], { kernel: fake.kernel }),
    isLoaderError(/two programs are called a/),
  );
  assert.is(fake.objects.size, 0);
});

test("when the second program is refused, everything is closed", ({ fake }) => {
  fake.failures = { loadProgram: ({ name }) => (name === "b" ? Errno.EACCES : undefined) };
  assert.throws(
    () => load([using("a", [first]), using("b", [second])], { kernel: fake.kernel }),
    (error: unknown) => error instanceof BpfError && error.code === "EACCES",
  );
  assert.equal(fake.openKinds(), []);
});

test("a kernel without BTF gets maps and programs without BTF; socket storage fails", ({ fake }) => {
  fake.failures = { loadBtf: Errno.EINVAL };
  withOpen(load([using("a", [second])], { kernel: fake.kernel }), () => {
    assert.equal(
      [...fake.objects.values()].map((o) =>
        o.kind === "map" ? o.create.btf : o.kind === "program" ? o.load.btf : "?",
      ),
      [undefined, undefined],
    );
  });
  assert.throws(
    () => load([using("b", [skStorage("storage", { value: u64 })])], { kernel: fake.kernel }),
    (error: unknown) => error instanceof BpfError,
  );
  assert.equal(fake.openKinds(), []);
});

test("a ring buffer is created without key and value sizes", ({ fake }) => {
  withOpen(
    load([], {
      kernel: fake.kernel,
      maps: [ringbuf("events", { value: struct("event", { a: u64 }), maxEntries: 4096 })],
    }),
    () => {
      const map = [...fake.objects.values()].find((o) => o.kind === "map");
      assert.equal(
        map?.kind === "map" && [map.create.keySize, map.create.valueSize, map.create.maxEntries],
        [0, 0, 4096],
      );
    },
  );
});

test("attaching pins; a second load replaces the programs of the same links and keeps the maps", ({
  fake,
  directory,
}) => {
  const pins = PinDirectory.create(join(directory, "pins"), OWNER, fake.kernel);
  const run = (programs: readonly Program[]) => {
    const collection = load(programs, { kernel: fake.kernel, pins });
    const attached = attach(collection, { cgroup: directory, pins });
    attached.close();
    collection.close();
    return attached;
  };
  assert.equal(
    run([using("a", [first]), using("b", [second])]).attachments.map(({ how }) => how),
    ["attached", "attached"],
  );
  const links = pins.links().map(({ link }) => link.id);
  const programs = pins.links().map(({ program }) => program!.id);
  pins.map(second).set(1, 5n);
  const again = run([using("b", [second]), using("c", [second])]);
  assert.equal(
    again.attachments.map(({ how }) => how),
    ["replaced", "attached"],
  );
  assert.equal(again.detached, ["a"]);
  assert.is(pins.map(second).get(1), 5n);
  assert.is(pins.links()[0]!.link.id, links[1]);
  assert.is.not(pins.links()[0]!.program!.id, programs[1]);
  assert.equal([pins.names("links"), pins.names("programs"), pins.names("maps")], [["b", "c"], ["b", "c"], ["second"]]);
  assert.equal(pins.removeAll(), { links: ["b", "c"], programs: ["b", "c"], maps: ["second"] });
  assert.equal(readdirSync(directory), []);
});

test("if a program cannot be attached, earlier links run their old programs, and nothing new is pinned", ({
  fake,
  directory,
}) => {
  const pins = PinDirectory.create(join(directory, "pins"), OWNER, fake.kernel);
  const old = load([using("a", [second])], { kernel: fake.kernel, pins });
  attach(old, { cgroup: directory, pins }).close();
  old.close();
  const before = pins.links().map(({ program }) => program!.id);
  const pinned = fake.openKinds();

  fake.failures = { createLink: Errno.EPERM };
  const collection = load([using("a", [second]), using("b", [first])], { kernel: fake.kernel, pins });
  assert.throws(
    () => attach(collection, { cgroup: directory, pins }),
    (error: unknown) => error instanceof BpfError && error.code === "EPERM",
  );
  collection.close();
  assert.equal(
    pins.links().map(({ program }) => program!.id),
    before,
  );
  assert.is(pins.programInfo("a").id, before[0]);
  assert.equal([pins.names("links"), pins.names("programs"), pins.names("maps")], [["a"], ["a"], ["second"]]);
  assert.equal(fake.openKinds(), pinned, "every descriptor was closed");
});

test("the error for a mismatched pinned map lists every difference", ({ fake, directory }) => {
  const pins = PinDirectory.create(join(directory, "pins"), OWNER, fake.kernel);
  withOpen(load([using("a", [second])], { kernel: fake.kernel, pins }), (collection) =>
    attach(collection, { cgroup: directory, pins }).close(),
  );
  const changed = lruHash("second", { key: u32, value: u32, maxEntries: 20 });
  assert.throws(
    () => load([using("a", [changed])], { kernel: fake.kernel, pins }),
    isLoaderError(/its type is HASH, not LRU_HASH; its value size is 8, not 4; its max entries is 10, not 20/),
  );
  assert.throws(() => pins.map(changed), isLoaderError(/value size/));
  assert.throws(() => pins.map(first), isLoaderError(/nothing is pinned at/));
  pins.map(hash("second", { key: u32, value: u64, maxEntries: 99 })).close();
});

test("a read-only value is replaced by each load; a variable is kept", ({ fake, directory }) => {
  const pins = PinDirectory.create(join(directory, "pins"), OWNER, fake.kernel);
  const loadWith = (limit: number, count: number) => {
    const maps = [readOnlyGlobal("limit", u32, limit), global("count", u32, count)] as const;
    withOpen(load([using("a", maps)], { kernel: fake.kernel, pins }), (collection) =>
      attach(collection, { cgroup: directory, pins }).close(),
    );
    return maps.map((map) => pins.map(map).get(0));
  };
  assert.equal(loadWith(1, 10), [1, 10]);
  assert.equal(loadWith(2, 20), [2, 10]);
});

test("another owner's directory is left alone", ({ fake, directory }) => {
  PinDirectory.create(join(directory, "theirs"), "another program", fake.kernel);
  assert.throws(
    () => PinDirectory.create(join(directory, "theirs"), OWNER, fake.kernel),
    isLoaderError(/belongs to another program/),
  );
  assert.throws(
    () => PinDirectory.open(join(directory, "theirs"), OWNER, fake.kernel),
    isLoaderError(/belongs to another program/),
  );
  mkdirSync(join(directory, "used"));
  writeFileSync(join(directory, "used", "thing"), "");
  assert.throws(
    () => PinDirectory.create(join(directory, "used"), OWNER, fake.kernel),
    isLoaderError(/used by something else: it holds thing/),
  );
  assert.equal(readdirSync(join(directory, "used")), ["thing"]);
  assert.is(PinDirectory.open(join(directory, "none"), OWNER, fake.kernel), undefined);
});

test("a program without a hook cannot be attached", ({ fake, directory }) => {
  const { expectedAttachType: _, ...hookless } = using("a", []);
  withOpen(load([hookless], { kernel: fake.kernel }), (collection) => {
    assert.throws(() => attach(collection, { cgroup: directory }), isLoaderError(/does not name its hook/));
  });
  assert.equal(fake.openKinds(), []);
});

test("the host check covers system and privileges", ({ fake }) => {
  assert.throws(
    () => checkHost(fake.kernel, "darwin"),
    isLoaderError(/cannot load BPF programs on darwin: they need Linux/),
  );
  checkHost(fake.kernel, "linux");
  fake.effectiveCapabilities = 1n << 12n;
  assert.throws(() => checkHost(fake.kernel, "linux"), isLoaderError(/CAP_BPF, CAP_PERFMON/));
  fake.effectiveCapabilities = (1n << 12n) | (1n << 38n) | (1n << 39n);
  checkHost(fake.kernel, "linux");
  assert.throws(() => checkManager(fake.kernel, "linux"), isLoaderError(/CAP_SYS_ADMIN/));
  fake.effectiveCapabilities = 1n << 21n;
  checkManager(fake.kernel, "linux");
});

test("programs attach to their hook's kind of target alone", ({ fake, directory }) => {
  const drop = xdp("drop", () => XdpAction.DROP);
  const proceed = cgroup.connect4("proceed", () => PROCEED);
  withOpen(load([drop], { kernel: fake.kernel }), (collection) => {
    assert.throws(
      // @ts-expect-error an xdp program attaches to an interface
      () => attach(collection, { cgroup: directory }),
      isLoaderError(/cannot attach program drop to a cgroup: hook xdp is for targets of kind interface/),
    );
  });
  withOpen(load([proceed, drop], { kernel: fake.kernel }), (collection) => {
    // @ts-expect-error one of the two does
    assert.throws(() => attach(collection, { cgroup: directory }), isLoaderError(/program drop/));
  });
  withOpen(load([proceed], { kernel: fake.kernel }), (collection) => attach(collection, { cgroup: directory }).close());
  const raw = program({ name: "raw", type: ProgramType.XDP, section: "xdp", items: [mov(r0, 1), exit()] });
  withOpen(load([raw], { kernel: fake.kernel }), (collection) => {
    assert.throws(() => attach(collection, { cgroup: directory }), isLoaderError(/program raw to a cgroup/));
  });
  assert.equal(fake.openKinds(), []);
});

test("a map opens by any declaration of the same key and value", ({ fake }) => {
  const declare = <V extends Schema>(value: V) => array("shared", { value, maxEntries: 4 });
  withOpen(load([using("a", [declare(u64)])], { kernel: fake.kernel }), (collection) => {
    assert.is(collection.map(declare(u64)).get(0), 0n);
    assert.throws(
      () => collection.map(declare(u32)),
      isLoaderError(/another value: the whole is u64 in one and u32 in the other/),
    );
  });
});

/** Closes a collection even if `work` throws. */
function withOpen<T extends { close(): void }>(resource: T, work: (resource: T) => void): void {
  try {
    work(resource);
  } finally {
    resource.close();
  }
}

test.run();
