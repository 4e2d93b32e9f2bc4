import { spawnSync } from "node:child_process";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as assert from "uvu/assert";
import {
  add,
  call,
  callFunction,
  exit,
  type Item,
  jne,
  label,
  load as loadFrom,
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
  r6,
  store,
  w0,
} from "../asm/index.ts";
import { linux, openPinned } from "../kernel/index.ts";
import { load, openMap } from "../loader/index.ts";
import {
  hasTool,
  runScriptIn,
  runTool,
  toolSuite,
  withBpfFileSystem,
  withCgroup,
  withDirectory,
} from "../testing/index.ts";
import * as types from "../types/index.ts";
import {
  array,
  AttachType,
  encodeValue,
  hash,
  ipv4,
  type MapDefinition,
  MapType,
  ProgramType,
  struct,
  u32,
  u64,
} from "../types/index.ts";
import { readObject, writeObject } from "./index.ts";
import { CLANG, compile } from "./testing/compile.ts";

/** bpf_sock_addr: user_ip4 at 4, user_port at 24; in memory both are big-endian. */
const USER_IP4 = 4;
const USER_PORT = 24;
const LOOPBACK = 0x0100007f;
const bigEndian16 = (port: number) => ((port & 255) << 8) | (port >> 8);

const port = 20_000 + (process.pid % 20_000);
const calls = hash("calls", {
  key: struct("endpoint", { address: ipv4, port: u32 }),
  value: struct("count", { hits: u64, last: u32 }),
  maxEntries: 8,
});
const settingsValue = struct("settings", { unused: u32, target: u32 });
const settings = {
  ...array("settings", { value: settingsValue, maxEntries: 1 }),
  initialValue: encodeValue(settingsValue, { unused: 0, target: bigEndian16(port + 1) }),
};

const at = (item: Item, line: number, text: string): Item =>
  ({ ...item, source: { file: "/project/redirect.ts", line, column: 7, text } }) as Item;

/** Redirects connects from `port`, which a subprogram tests, to the port in a variable, and records them. */
const redirect: Program = program({
  name: "redirect",
  type: ProgramType.CGROUP_SOCK_ADDR,
  expectedAttachType: AttachType.CGROUP_INET4_CONNECT,
  section: "cgroup/connect4",
  maps: [calls, settings],
  license: "GPL",
  items: [
    at(mov(r6, r1), 1, "export const redirect = connect4((b, ctx) => {"),
    loadFrom("u32", r1, r6, USER_PORT),
    at(callFunction("wanted"), 2, "  b.if(wanted(ctx), () => {"),
    jne(r0, 1, "out"),
    at(store("u32", r6, USER_IP4, LOOPBACK), 3, "    ctx.userIp4.set(LOOPBACK);"),
    loadMapValue(r1, settings, 4),
    loadFrom("u32", r1, r1, 0),
    store("u32", r6, USER_PORT, r1),
    store("u32", r10, -8, LOOPBACK),
    store("u32", r10, -4, 99),
    store("u64", r10, -24, 1),
    store("u64", r10, -16, 7),
    loadMap(r1, calls),
    mov(r2, r10),
    add(r2, -8),
    mov(r3, r10),
    add(r3, -24),
    mov(r4, 0),
    call("bpf_map_update_elem"),
    label("out"),
    at(mov(w0, 1), 5, "  return b.proceed();"),
    exit(),
    label("wanted"),
    at(mov(w0, 0), 10, "function wanted(ctx) {"),
    jne(r1, bigEndian16(port), "end"),
    mov(w0, 1),
    label("end"),
    exit(),
  ],
});

/** Runs `work` with the path of an object file. */
const withObject = <T>(bytes: Uint8Array, work: (path: string) => T): T =>
  withDirectory((directory) => {
    const path = join(directory, "redirect.bpf.o");
    writeFileSync(path, bytes);
    return work(path);
  });

const bpftool = toolSuite("elf: our object files under bpftool and libbpf", ["bpftool"], { kernel: true });

/** A client of a server on the next port: which port of the server it reached, or the error. */
const connectTo = (wanted: number) => `
  import net from "node:net";
  const server = net.createServer((socket) => socket.end(String(socket.localPort)));
  await new Promise((done) => server.listen(${port + 1}, "127.0.0.1", done));
  const answer = await new Promise((done) => {
    const socket = net.connect(${wanted}, "127.0.0.1");
    let text = "";
    socket.on("data", (data) => (text += data)).on("end", () => done(text)).on("error", (error) => done(error.code));
  });
  server.close();
  console.log(JSON.stringify(answer));
`;

bpftool("bpftool loadall, pinned and attached, redirects a real connection", () =>
  withCgroup((cgroup) =>
    withBpfFileSystem(async (pins) => {
      withObject(writeObject([redirect]), (path) =>
        runTool("bpftool", "prog", "loadall", path, join(pins, "programs"), "pinmaps", join(pins, "maps")),
      );
      assert.equal(readdirSync(join(pins, "programs")), ["redirect"]);
      const pinned = join(pins, "programs", "redirect");
      runTool("bpftool", "cgroup", "attach", cgroup, "connect4", "pinned", pinned);
      try {
        assert.is(await runScriptIn({ cgroup }, connectTo(port)), String(port + 1));
        assert.is(await runScriptIn({ cgroup }, connectTo(port + 2)), "ECONNREFUSED", "another port is left alone");
      } finally {
        runTool("bpftool", "cgroup", "detach", cgroup, "connect4", "pinned", pinned);
      }
      assert.is(await runScriptIn({ cgroup }, connectTo(port)), "ECONNREFUSED");

      const fd = openPinned(join(pins, "maps", "calls"));
      assert.equal(
        [...openMap(calls, fd).entries()],
        [
          [
            { address: "127.0.0.1", port: 99 },
            { hits: 1n, last: 7 },
          ],
        ],
      );
      fd.close();
      assert.equal(
        JSON.parse(runTool("bpftool", "--json", "map", "dump", "pinned", join(pins, "maps", "calls")))[0].formatted,
        {
          key: { address: 0x0100007f, port: 99 },
          value: { hits: 1, last: 7 },
        },
      );
      const listing = runTool("bpftool", "prog", "dump", "xlated", "pinned", pinned, "linum");
      assert.match(
        listing,
        new RegExp(
          String.raw`^int redirect\(struct bpf_sock_addr \* ctx\):\n` +
            String.raw`; export const redirect = connect4\(\(b, ctx\) => \{ ` +
            String.raw`\[file:/project/redirect\.ts line_num:1 line_col:7\]\n {3}0: `,
        ),
      );
      assert.match(
        listing,
        new RegExp(
          String.raw`; {5}ctx\.userIp4\.set\(LOOPBACK\);|` +
            String.raw`; ctx\.userIp4\.set\(LOOPBACK\); \[file:/project/redirect\.ts line_num:3`,
        ),
      );
      assert.match(
        listing,
        /__u64 wanted\(\):\n; function wanted\(ctx\) \{ \[file:\/project\/redirect\.ts line_num:10/,
      );
    }),
  ),
);

bpftool("bpftool shows the same for programs from our loader", () =>
  withBpfFileSystem((pins) => {
    using loaded = load([redirect]);
    linux.pinObject(loaded.program("redirect").fd, join(pins, "redirect"));
    linux.pinObject(loaded.maps.get("calls")!.fd, join(pins, "calls"));
    using bare = load([redirect], { sourceText: false });
    linux.pinObject(bare.program("redirect").fd, join(pins, "bare"));
    assert.match(
      runTool("bpftool", "prog", "dump", "xlated", "pinned", join(pins, "bare"), "linum"),
      /^int redirect\(struct bpf_sock_addr \* ctx\):\n; {2}\[file:\/project\/redirect\.ts line_num:1 line_col:7\]\n/,
    );
    loaded.map(calls).set({ address: "127.0.0.2", port: 80 }, { hits: 3n, last: 4 });
    const listing = runTool("bpftool", "prog", "dump", "xlated", "pinned", join(pins, "redirect"), "linum");
    assert.match(
      listing,
      new RegExp(
        String.raw`^int redirect\(struct bpf_sock_addr \* ctx\):\n; export const redirect .* ` +
          String.raw`\[file:/project/redirect\.ts line_num:1 line_col:7\]`,
      ),
    );
    assert.equal(JSON.parse(runTool("bpftool", "--json", "map", "dump", "pinned", join(pins, "calls")))[0].formatted, {
      key: { address: 0x0200007f, port: 80 },
      value: { hits: 3, last: 4 },
    });
  }),
);

bpftool("libbpf creates every map type as declared", () =>
  withBpfFileSystem((pins) => {
    const value = struct("value", { a: u64, b: u32 });
    const key = struct("key", { prefix: u32, address: ipv4 });
    const maps: readonly MapDefinition[] = [
      types.hash("m_hash", { key, value, maxEntries: 3 }),
      types.lruHash("m_lru", { key, value, maxEntries: 4 }),
      types.percpuHash("m_percpu", { key, value, maxEntries: 5 }),
      types.lruPercpuHash("m_lru_percpu", { key, value, maxEntries: 64 }),
      types.array("m_array", { value, maxEntries: 7 }),
      types.percpuArray("m_percpu_array", { value, maxEntries: 8 }),
      types.lpmTrie("m_trie", { key, value, maxEntries: 9 }),
      types.progArray("m_programs", { maxEntries: 10 }),
      types.skStorage("m_storage", { value }),
      types.ringbuf("m_ring", { value, maxEntries: 8192 }),
      { ...types.hash("m_perf", { key: u32, value: u32, maxEntries: 2 }), type: MapType.PERF_EVENT_ARRAY },
      { ...types.hash("m_queue", { key: types.none, value, maxEntries: 12 }), type: MapType.QUEUE },
      { ...types.hash("m_bloom", { key: types.none, value, maxEntries: 13 }), type: MapType.BLOOM_FILTER },
      { ...types.hash("m_sockets", { key: u32, value: u64, maxEntries: 14 }), type: MapType.SOCKHASH },
      { ...types.hash("m_devices", { key: u32, value: u32, maxEntries: 15 }), type: MapType.DEVMAP_HASH },
    ];
    const user = program({
      name: "user",
      type: ProgramType.CGROUP_SKB,
      expectedAttachType: AttachType.CGROUP_INET_EGRESS,
      section: "cgroup_skb/egress",
      maps,
      items: [...maps.map((map) => loadMap(r1, map)), mov(r0, 1), exit()],
    });
    withObject(writeObject([user]), (path) =>
      runTool("bpftool", "prog", "loadall", path, join(pins, "programs"), "pinmaps", join(pins, "maps")),
    );
    for (const { name, type, key, value, maxEntries, flags } of maps) {
      const fd = openPinned(join(pins, "maps", name));
      const info = linux.mapInfo(fd);
      fd.close();
      assert.equal(
        {
          type: info.type,
          keySize: info.keySize,
          valueSize: info.valueSize,
          maxEntries: info.maxEntries,
          flags: info.flags,
        },
        {
          type,
          keySize: key.size,
          valueSize: type === MapType.RINGBUF ? 0 : value.size,
          maxEntries,
          flags: type === MapType.DEVMAP_HASH ? info.flags : flags,
        },
        name,
      );
    }
  }),
);

const jited = /libbfd|llvm/.test(hasTool("bpftool") ? runTool("bpftool", "version") : "libbfd")
  ? bpftool
  : bpftool.skip;
if (jited === bpftool.skip)
  process.stderr.write("SKIPPED, bpftool prog dump jited: this bpftool was built without a disassembler\n");
jited("machine code is shown with the source's lines", () =>
  withBpfFileSystem((pins) => {
    using loaded = load([redirect]);
    linux.pinObject(loaded.program("redirect").fd, join(pins, "redirect"));
    assert.match(
      runTool("bpftool", "prog", "dump", "jited", "pinned", join(pins, "redirect"), "linum"),
      /; function wanted\(ctx\) \{ \[file:\/project\/redirect\.ts line_num:10/,
    );
  }),
);

bpftool("bpftool generates a skeleton", () => {
  const skeleton = withObject(writeObject([redirect]), (path) => runTool("bpftool", "gen", "skeleton", path));
  assert.match(skeleton, /struct bpf_map \*calls;/);
  assert.match(skeleton, /struct bpf_program \*redirect;/);
});

bpftool("btf dump shows functions, maps and fields", () => {
  const dump = withObject(writeObject([redirect]), (path) => runTool("bpftool", "btf", "dump", "file", path));
  for (const line of [
    /STRUCT 'endpoint' size=8 vlen=2\n\t'address' type_id=\d+ bits_offset=0\n\t'port' type_id=\d+ bits_offset=32/,
    /FUNC 'redirect' type_id=\d+ linkage=global/,
    /FUNC 'wanted' type_id=\d+ linkage=static/,
    /DATASEC '\.maps' size=32 vlen=1\n\ttype_id=\d+ offset=0 size=32 \(VAR 'calls'\)/,
    /DATASEC '\.data\.settings' size=8 vlen=2/,
  ])
    assert.match(dump, line);
});

bpftool.run();

const clang = toolSuite("elf: C programs, by libbpf and by our loader", ["bpftool", CLANG], { kernel: true });

/**
 * A program's instructions in the kernel, without map ids and function prototypes (our types lack all but their names).
 */
const instructionsOf = (pin: string) =>
  runTool("bpftool", "prog", "dump", "xlated", "pinned", pin, "opcodes")
    .replaceAll(/^\S.*\n/gm, "")
    .replaceAll(/map\[id:\d+\]/g, "map")
    .replaceAll(/18 (\d.) 00 00 (.. ){4}00 00 00 00/g, "18 $1")
    .replaceAll(/bpf_prog_[0-9a-f]+/g, "bpf_prog");

for (const name of ["maps", "globals", "subprograms", "core"]) {
  clang(`${name}: libbpf and this loader load the same instructions`, () =>
    withBpfFileSystem((pins) => {
      const bytes = compile(name);
      withObject(bytes, (path) => runTool("bpftool", "prog", "loadall", path, join(pins, "libbpf")));
      const { programs } = readObject(bytes);
      using loaded = load(programs);
      for (const { name } of programs) {
        linux.pinObject(loaded.program(name).fd, join(pins, name));
        const [theirs, ours] = [join(pins, "libbpf", name), join(pins, name)].map(instructionsOf) as [string, string];
        assert.ok(theirs.split("\n").length > 10);
        assert.is(ours, theirs);
      }
    }),
  );
}

clang.run();

const llvm = toolSuite("elf: our object files under LLVM's and GNU's tools", [
  "llvm-objdump-19",
  "llvm-readelf-19",
  "readelf",
]);

llvm("llvm-objdump shows functions and relocations", () => {
  const listing = withObject(writeObject([redirect]), (path) => runTool("llvm-objdump-19", "-dr", path));
  for (const line of [
    /Disassembly of section \.text:\n\n0+ <wanted>:/,
    /Disassembly of section cgroup\/connect4:\n\n0+ <redirect>:/,
    /call -0x1\n\t\t0+10: {2}R_BPF_64_32\t\.text/,
    /r1 = 0x4 ll\n\t\t0+28: {2}R_BPF_64_64\t\.data\.settings/,
    /r1 = 0x0 ll\n\t\t0+68: {2}R_BPF_64_64\tcalls/,
  ])
    assert.match(listing, line);
});

for (const tool of ["llvm-readelf-19", "readelf"]) {
  llvm(`${tool} reads sections, symbols and relocations without a complaint`, () => {
    withObject(writeObject([redirect]), (path) => {
      const { stdout, stderr, status } = spawnSync(tool, ["-a", "--wide", path], { encoding: "utf8" });
      assert.equal([status, stderr], [0, ""]);
      for (const line of [
        /Machine: +(EM_BPF|Linux BPF)/,
        /\.relcgroup\/connect4 +REL /,
        /OBJECT +GLOBAL +DEFAULT +\d+ calls/,
        /FUNC +LOCAL +DEFAULT +\d+ wanted/,
        /FUNC +GLOBAL +DEFAULT +\d+ redirect/,
      ]) {
        assert.match(stdout, line);
      }
    });
  });
}

llvm.run();
