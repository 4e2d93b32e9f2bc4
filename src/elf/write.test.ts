import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  call,
  callFunction,
  callKernel,
  encode,
  exit,
  type Item,
  label,
  lddw,
  loadFunction,
  loadMap,
  loadMapValue,
  mov,
  program,
  type Program,
  r0,
  r1,
  r2,
  r3,
  r4,
} from "../asm/index.ts";
import { Btf, definition, parseBtfExt } from "../btf/index.ts";
import {
  array,
  arrayOf,
  be16,
  be32,
  hash,
  ringbuf,
  skStorage,
  struct,
  u32,
  u64,
  withMaxEntries,
} from "../types/index.ts";
import { parseElf } from "./file.ts";
import { ElfError, readObject, sectionMeaning, writeObject } from "./index.ts";

const test = suite("elf: writing");

const services = hash("services", {
  key: struct("key", { address: be32, port: be16 }),
  value: struct("value", { base: u32, count: u32 }),
  maxEntries: 64,
});
const flows = skStorage("flows", { value: u64 });
const events = ringbuf("events", { value: u64, maxEntries: 4096 });
const settings = array("settings", { value: struct("settings", { limit: u32, hits: u32 }), maxEntries: 1 });
const source = (line: number) => ({ file: "/project/programs/connect4.ts", line, column: 3, text: `line ${line};` });
const at = (item: Item, line: number): Item => ({ ...item, source: source(line) }) as Item;

const make = (
  name: string,
  section: string,
  items: readonly Item[],
  maps: Program["maps"] = [],
  license = "Dual MIT/GPL",
): Program => program({ name, ...sectionMeaning(section)!, section, items, maps, license });

const twice = [label("twice"), at(mov(r0, 2), 20), exit()];
const connect4 = make(
  "connect4",
  "cgroup/connect4",
  [
    at(loadMap(r1, services), 1),
    at(loadMap(r2, flows), 2),
    loadMap(r3, events),
    at(callFunction("twice"), 3),
    at(callFunction("once"), 4),
    mov(r0, 1),
    exit(),
    label("once"),
    at(callFunction("twice"), 10),
    exit(),
    ...twice,
  ],
  [services, flows, events],
);
const second = make("second", "cgroup/connect4", [
  at(lddw(r1, 1), 30),
  at(callFunction("twice"), 31),
  mov(r0, 1),
  exit(),
  ...twice,
]);
const variables = make(
  "variables",
  "cgroup_skb/egress",
  [
    loadMapValue(r1, settings, 4),
    loadFunction(r2, "twice"),
    mov(r3, 0),
    mov(r4, 0),
    call(181),
    mov(r0, 1),
    exit(),
    label("twice"),
    at(mov(r0, 3), 40),
    exit(),
  ],
  [settings],
);
const all = [connect4, second, variables];

test("a written file reads back the same", () => {
  const object = readObject(writeObject(all));
  assert.equal(
    object.programs.map(({ name }) => name),
    all.map(({ name }) => name),
  );
  for (const [i, back] of object.programs.entries()) {
    const { name, type, expectedAttachType, section, license } = all[i]!;
    assert.equal(
      { ...back, instructions: 0, functions: 0, maps: 0 },
      {
        name,
        type,
        ...(expectedAttachType === undefined ? {} : { expectedAttachType }),
        section,
        license,
        instructions: 0,
        functions: 0,
        maps: 0,
      },
    );
  }
  const [first, other] = object.programs as [Program, Program];
  // Called functions follow in the order in which they are called.
  assert.equal(first.functions, [
    { name: "connect4", start: 0 },
    { name: "twice", start: 7 },
    { name: "once", start: 9 },
  ]);
  assert.equal(other.functions, [
    { name: "second", start: 0 },
    { name: "twice", start: 4 },
  ]);
  assert.equal(Buffer.from(encode(other.instructions)), Buffer.from(encode(second.instructions)));
  assert.equal(
    first.instructions.slice(0, 3).map(({ reference }) => reference),
    ["services", "flows", "events"].map((name) => ({ kind: "map", name })),
  );
  assert.equal(
    object.maps.map(({ name, type, maxEntries, flags, key, value }) => [
      name,
      type,
      maxEntries,
      flags,
      String(key),
      value.size,
    ]),
    [
      ["services", services.type, 64, 0, "struct key", 8],
      ["flows", flows.type, 0, flows.flags, "u32", 8],
      ["events", events.type, 4096, 0, "void", 0],
      [".data.settings", settings.type, 1, 0, "u32", 8],
    ],
  );
  assert.equal(object.programs[2]!.instructions[0]!.reference, {
    kind: "map-value",
    name: ".data.settings",
    offset: 4,
  });
});

test("source lines survive", () => {
  const [back] = readObject(writeObject(all)).programs;
  const line = (item: { source?: unknown }) => item.source;
  assert.equal(back!.instructions.map(line), [1, 2, 2, 3, 4, 4, 4, 20, 20, 10, 10].map(source));
  const [bare] = readObject(writeObject(all, { sourceText: false })).programs;
  assert.equal(bare!.instructions[0]!.source, { ...source(1), text: "" });
});

test("the same programs give the same bytes", () => {
  assert.equal(writeObject(all), writeObject(all));
  const bytes = Buffer.from(writeObject(all));
  assert.not.ok(bytes.includes(process.cwd()), "and nothing of where they were made");
});

test("a shared function is written once, another one of its name under a new name", () => {
  const { symbols } = parseElf(writeObject(all));
  assert.equal(
    symbols.filter(({ section, type }) => section?.name === ".text" && type === 2).map(({ name }) => name),
    ["once", "twice", "twice_2"],
  );
});

test("func_info names each function, and BTF declares the maps", () => {
  const { sections } = parseElf(writeObject(all));
  const data = (name: string) => sections.find((section) => section.name === name)!.data;
  const btf = new Btf(data(".BTF"));
  const { functions } = parseBtfExt(data(".BTF.ext"), btf);
  const shown = [...functions].map(([section, records]) => [
    section,
    records.map(({ offset, type }) => `${offset} ${definition(btf, type)}`),
  ]);
  assert.equal(Object.fromEntries(shown), {
    "cgroup/connect4": ["0 int connect4(struct bpf_sock_addr *ctx);", "80 int second(struct bpf_sock_addr *ctx);"],
    ".text": ["0 static __u64 once(void);", "16 static __u64 twice(void);", "32 static __u64 twice_2(void);"],
    "cgroup_skb/egress": ["0 int variables(struct __sk_buff *ctx);"],
  });
  assert.match(
    definition(btf, btf.find("datasec", ".maps")!),
    /int \(\*type\)\[1\];\n\tint \(\*max_entries\)\[64\];\n\tstruct key \*key;\n\tstruct value \*value;\n\} services;/,
  );
});

const refused: readonly [title: string, programs: () => readonly Program[], message: RegExp][] = [
  ["no programs", () => [], /no programs to write/],
  [
    "two licences",
    () => [connect4, make("x", "xdp", [mov(r0, 1), exit()], [], "GPL")],
    /symbol x: its licence is "GPL", that of connect4 "Dual MIT\/GPL"/,
  ],
  [
    "two programs of one name",
    () => [connect4, make("connect4", "xdp", [mov(r0, 1), exit()])],
    /symbol connect4: two programs have this name/,
  ],
  [
    "two maps of one name",
    () => [connect4, make("x", "xdp", [loadMap(r1, services), mov(r0, 1), exit()], [withMaxEntries(services, 65)])],
    /symbol services: two different maps have this name/,
  ],
  [
    "a kernel function",
    () => [make("x", "tc", [callKernel("bpf_rcu_read_lock"), exit()])],
    /section tc, symbol x: it calls the kernel function bpf_rcu_read_lock/,
  ],
  ["a map by descriptor", () => [make("x", "tc", [loadMap(r1, { fd: 3 }), exit()])], /map by file descriptor/],
  [
    "a map used in two ways",
    () => [make("x", "tc", [loadMap(r1, settings), loadMapValue(r2, settings), exit()], [settings])],
    /symbol settings: it is used both as a map and as variables/,
  ],
  [
    "variables in an array of several elements",
    () => [
      make("x", "tc", [loadMapValue(r2, "many"), exit()], [array("many", { value: arrayOf(u32, 2), maxEntries: 2 })]),
    ],
    /symbol many: .* takes an array of one element/,
  ],
  [
    "a function that calls itself",
    () => [make("x", "tc", [callFunction("f"), exit(), label("f"), callFunction("f"), exit()])],
    /function f calls itself/,
  ],
  [
    "a program that calls itself",
    () => [
      {
        ...connect4,
        instructions: [...make("x", "tc", [callFunction(-1), exit()]).instructions],
        functions: [{ name: "x", start: 0 }],
      },
    ],
    /calls the program's main function/,
  ],
  ["a program in .text", () => [{ ...second, section: ".text" }], /cannot be in section \.text/],
];

for (const [title, programs, message] of refused) {
  test(`refused: ${title}`, () => {
    assert.throws(
      () => writeObject(programs()),
      (error: unknown) => {
        if (!(error instanceof ElfError)) throw error;
        assert.match(error.message, message);
        return true;
      },
    );
  });
}

test.run();
