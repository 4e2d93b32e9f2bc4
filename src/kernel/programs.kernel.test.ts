import { statSync } from "node:fs";
import * as assert from "uvu/assert";
import {
  add,
  assemble,
  call,
  encode,
  exit,
  jlt,
  label,
  load as ldx,
  mov,
  r0,
  r1,
  r6,
  type Item,
} from "../asm/index.ts";
import { kernelSuite, runScriptIn, withCgroup } from "../testing/index.ts";
import { AttachType, MapType, ProgramType } from "../types/index.ts";
import {
  attachedPrograms,
  attachProgram,
  bindMap,
  BpfError,
  btfBytes,
  btfInfo,
  createLink,
  createMap,
  detachLink,
  detachProgram,
  enableStatistics,
  freezeMap,
  linkInfo,
  loadBtf,
  loadProgram,
  mapElements,
  mapInfo,
  objectIds,
  openById,
  openDirectory,
  programCode,
  programInfo,
  testRunProgram,
  updateLink,
  VerifierError,
  type Fd,
} from "./index.ts";

const test = kernelSuite("kernel: programs, links, info");

const { CGROUP_INET4_CONNECT } = AttachType;
const unique = `k${process.pid}`;

function loadItems(items: readonly Item[], type: ProgramType = ProgramType.XDP, expectedAttachType?: AttachType): Fd {
  return loadProgram({
    name: unique,
    type,
    code: encode(assemble(items)),
    license: "GPL",
    ...(expectedAttachType !== undefined && { expectedAttachType }),
  }).fd;
}

const connect = (result: number) =>
  loadItems([mov(r0, result), exit()], ProgramType.CGROUP_SOCK_ADDR, CGROUP_INET4_CONNECT);

const refused = (code: string, hint?: RegExp) => (error: unknown) =>
  error instanceof BpfError &&
  !(error instanceof VerifierError) &&
  error.code === code &&
  (hint?.test(error.hint ?? "") ?? true);

test("a program runs on a packet, and its info describes it", () => {
  const fd = loadItems([ldx("u32", r0, r1, 4), ldx("u32", r1, r1, 0), mov(r0, 2), exit()]);
  const run = testRunProgram(fd, { data: new Uint8Array(64), repeat: 10 });
  assert.is(run.returnValue, 2);
  assert.is(run.data.byteLength, 64);
  const info = programInfo(fd);
  assert.equal([info.type, info.name, info.gplCompatible, info.createdByUid], [ProgramType.XDP, unique, true, 0]);
  assert.match(info.tag, /^[0-9a-f]{16}$/);
  const code = programCode(fd);
  assert.is(code.xlated.byteLength, info.xlatedLength);
  assert.ok(info.xlatedLength >= 3 * 8);
  assert.equal([...code.xlated.subarray(info.xlatedLength - 8)], [0x95, 0, 0, 0, 0, 0, 0, 0]);
  if (info.jitedLength > 0) assert.ok(code.jited.some((byte) => byte !== 0));
  fd.close();
  const filter = loadItems([mov(r0, 0), exit()], ProgramType.SOCKET_FILTER);
  assert.throws(() => testRunProgram(filter, { data: new Uint8Array(3) }), refused("EINVAL", /14 bytes/));
  filter.close();
});

test("sock_addr programs cannot be test-run, and the error suggests the simulator", () => {
  const fd = connect(1);
  assert.throws(() => testRunProgram(fd), refused("ENOTSUPP", /simulator/));
  fd.close();
});

test("live objects are found by id", () => {
  const program = loadItems([mov(r0, 2), exit()]);
  const map = createMap({ name: unique, type: MapType.ARRAY, keySize: 4, valueSize: 4, maxEntries: 1, flags: 0 });
  const { id } = programInfo(program);
  assert.ok(objectIds("program").includes(id));
  assert.ok(objectIds("map").includes(mapInfo(map).id));
  const again = openById("program", id)!;
  assert.is(programInfo(again).id, id);
  again.close();
  assert.is(openById("program", 0x7fff_fff0), undefined);
  assert.equal(programInfo(program).mapIds, []);
  bindMap(program, map);
  assert.equal(programInfo(program).mapIds, [mapInfo(map).id]);
  map.close();
  program.close();
});

test("BTF is loaded and read back; errors quote the kernel's log", () => {
  // Header, one type `int`, strings "\0int\0" (linux/btf.h).
  const bytes = new Uint8Array(24 + 16 + 5);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, 0xeb9f, true);
  view.setUint8(2, 1);
  [24, 0, 16, 16, 5].forEach((word, i) => view.setUint32(4 + 4 * i, word, true));
  [1, 1 << 24, 4, (1 << 24) | 32].forEach((word, i) => view.setUint32(24 + 4 * i, word, true));
  bytes.set(Buffer.from("\0int\0"), 40);
  const fd = loadBtf(bytes);
  assert.equal(btfBytes(fd), Buffer.from(bytes));
  assert.is(btfInfo(fd).kernel, false);
  fd.close();
  view.setUint32(32, 3, true);
  assert.throws(
    () => loadBtf(bytes, "my types"),
    (error: unknown) => refused("EINVAL")(error) && /my types: .*(INT|nr_bits|size)/.test((error as Error).message),
  );
});

test("links: create, query, update from the expected program only, detach", async () => {
  await withCgroup(async (path) => {
    const cgroup = openDirectory(path);
    const [first, second, third] = [connect(1), connect(0), connect(1)];
    const ids = (effective = false) => attachedPrograms(cgroup, CGROUP_INET4_CONNECT, { effective }).programIds;
    const link = createLink({ program: first, target: cgroup, attachType: CGROUP_INET4_CONNECT });
    const info = linkInfo(link);
    assert.is(info.programId, programInfo(first).id);
    assert.is(info.cgroupId, statSync(path, { bigint: true }).ino);
    assert.is(info.attachType, CGROUP_INET4_CONNECT);
    assert.equal(ids(), [info.programId]);

    const code =
      'import net from "node:net";' +
      'net.connect(1, "127.0.0.1").on("error", (e) => console.log(JSON.stringify(e.code)));';
    assert.is(await runScriptIn({ cgroup: path }, code), "ECONNREFUSED");
    assert.throws(() => updateLink(link, second, third), refused("EPERM", /somebody else replaced it/));
    updateLink(link, second, first);
    assert.is(await runScriptIn({ cgroup: path }, code), "EPERM");
    assert.equal(ids(), [programInfo(second).id]);
    assert.throws(() => updateLink(link, loadItems([mov(r0, 2), exit()]), second), refused("EINVAL", /another type/));

    detachLink(link);
    assert.equal(ids(), []);
    assert.is(linkInfo(link).cgroupId, 0n);

    attachProgram(cgroup, third, CGROUP_INET4_CONNECT);
    assert.equal(ids(true).at(-1), programInfo(third).id);
    detachProgram(cgroup, third, CGROUP_INET4_CONNECT);
    assert.throws(() => detachProgram(cgroup, third, CGROUP_INET4_CONNECT), refused("ENOENT"));
    assert.throws(
      () => createLink({ program: first, target: cgroup, attachType: AttachType.CGROUP_INET6_CONNECT }),
      refused("EINVAL", /another attach type/),
    );
    for (const fd of [link, first, second, third, cgroup]) fd.close();
  });
});

test("runs and their time are counted while statistics are enabled", () => {
  const fd = loadItems([mov(r0, 2), exit()]);
  testRunProgram(fd, { data: new Uint8Array(64), repeat: 5 });
  const statistics = enableStatistics();
  const before = programInfo(fd).runCount;
  testRunProgram(fd, { data: new Uint8Array(64), repeat: 1000 });
  const after = programInfo(fd);
  statistics.close();
  fd.close();
  assert.is(after.runCount - before, 1000n);
  assert.ok(after.runTimeNs > 0n);
});

test("a log larger than the first buffer is complete", () => {
  const items = [
    mov(r6, 0),
    label("loop"),
    call("bpf_get_prandom_u32"),
    add(r6, 1),
    jlt(r6, 2_000, "loop"),
    ldx("u64", r0, r0, 0),
    exit(),
  ];
  const load = (logLevel: 0 | 2) =>
    loadProgram({ name: unique, type: ProgramType.XDP, code: encode(assemble(items)), license: "GPL", logLevel });
  for (const logLevel of [0, 2] as const) {
    assert.throws(
      () => load(logLevel),
      (error: unknown) => {
        if (!(error instanceof VerifierError)) return false;
        assert.match(error.log.slice(0, 2000), /^0: \(b7\) r6 = 0/m);
        assert.match(error.log.slice(-200), /processed \d+ insns/);
        assert.ok(error.log.length > 64 * 1024, `${error.log.length}`);
        return /invalid mem access 'scalar'|invalid mem access 'inv'/.test(error.reason) && error.steps.length > 0;
      },
    );
  }
});

test("an accepted program has a log on request", () => {
  const { fd, log } = loadProgram({
    name: unique,
    type: ProgramType.XDP,
    code: encode([mov(r0, 2), exit()]),
    license: "GPL",
    logLevel: 2,
  });
  fd.close();
  assert.match(log, "r0 = 2");
});

test("refused before verification: the error has a hint", () => {
  const code = encode([mov(r0, 1), exit()]);
  assert.throws(
    () =>
      loadProgram({
        name: "p",
        type: ProgramType.CGROUP_SOCK_ADDR,
        expectedAttachType: AttachType.CGROUP_INET_INGRESS,
        code,
        license: "GPL",
      }),
    (error: unknown) => refused("EINVAL", /attach type/)(error) && (error as BpfError).subject === "program p",
  );
  assert.throws(
    () => createMap({ name: "m", type: MapType.ARRAY, keySize: 8, valueSize: 4, maxEntries: 1, flags: 0 }),
    refused("EINVAL", /4 bytes/),
  );
});

test("a frozen map cannot be written", () => {
  const shape = { name: unique, type: MapType.ARRAY, keySize: 4, valueSize: 4, maxEntries: 1 } as const;
  const fd = createMap({ ...shape, flags: 0 });
  const elements = mapElements(fd, shape);
  elements.update(0);
  freezeMap(fd);
  assert.throws(() => elements.update(0), refused("EPERM", /frozen/));
  assert.ok(elements.lookup());
  fd.close();
});

test.run();
