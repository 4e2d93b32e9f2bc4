import * as assert from "uvu/assert";
import { decode, encode, formatInstruction, slotCount } from "../asm/index.ts";
import { load, LoaderError } from "../loader/index.ts";
import { toolSuite } from "../testing/index.ts";
import { AttachType, MapFlag, MapType, ProgramType, type StructSchema } from "../types/index.ts";
import { CLANG, compile, compileText } from "./testing/compile.ts";
import { ElfError, readObject } from "./index.ts";

const test = toolSuite("elf: reading what clang makes", [CLANG]);

test("programs by section, two in one; licence", () => {
  const object = readObject(compile("maps"));
  assert.equal(
    object.programs.map(({ name, type, expectedAttachType, section }) => ({ name, type, expectedAttachType, section })),
    [
      {
        name: "count",
        type: ProgramType.CGROUP_SOCK_ADDR,
        expectedAttachType: AttachType.CGROUP_INET4_CONNECT,
        section: "cgroup/connect4",
      },
      {
        name: "report",
        type: ProgramType.CGROUP_SOCK_ADDR,
        expectedAttachType: AttachType.CGROUP_INET4_CONNECT,
        section: "cgroup/connect4",
      },
    ],
  );
  assert.is(object.license, "GPL");
  assert.ok(object.programs.every(({ license }) => license === "GPL"));
  assert.equal(object.pinned, []);
  assert.equal(
    object.programs.map(({ maps }) => maps.map(({ name }) => name)),
    [
      ["services", "flows"],
      ["events", "plain"],
    ],
  );
});

test("maps, their keys and values as schemas", () => {
  const { maps } = readObject(compile("maps"));
  assert.equal(
    maps.map(({ name, type, key, value, maxEntries, flags }) => [
      name,
      type,
      String(key),
      String(value),
      value.size,
      maxEntries,
      flags,
    ]),
    [
      ["services", MapType.HASH, "struct key", "struct value", 40, 128, 0],
      ["flows", MapType.SK_STORAGE, "i32", "u64", 8, 0, MapFlag.NO_PREALLOC],
      ["events", MapType.RINGBUF, "void", "void", 0, 4096, 0],
      ["plain", MapType.ARRAY, "u32", "u8[12]", 12, 4, 0],
    ],
  );
  const fields = (schema: unknown) =>
    (schema as StructSchema).layout.map(({ name, schema, offset }) => `${offset} ${schema} ${name}`);
  assert.equal(fields(maps[0]!.key), ["0 be32 address", "4 be16 port", "6 u8 protocol"]);
  assert.equal(fields(maps[0]!.value), ["0 u64 hits", "8 u8[16] anonymous1", "24 u16[3] slots", "32 i32 delta"]);
});

test("global variables become maps with initial values", () => {
  const { maps } = readObject(compile("globals"), { name: "globals" });
  const shown = Object.fromEntries(
    maps.map(({ name, flags, frozen, initialValue, value }) => [
      name,
      {
        flags,
        frozen,
        value: initialValue && value.read(new DataView(initialValue.buffer, initialValue.byteOffset), 0),
      },
    ]),
  );
  assert.equal(shown, {
    "globals.bss": { flags: 0, frozen: undefined, value: undefined },
    "globals.rodata": { flags: MapFlag.RDONLY_PROG, frozen: true, value: { factor: 3 } },
    "globals.data": { flags: 0, frozen: undefined, value: { added: 1000, sum: 7n, "next.counter": 5 } },
    "globals.data.own": { flags: 0, frozen: undefined, value: { own: 40 } },
  });
  assert.equal(
    (maps[0]!.value as StructSchema).layout.map(({ name, offset }) => [name, offset]),
    [
      ["calls", 0],
      ["history", 8],
    ],
  );
});

test("a program is followed once by every function it calls or names", () => {
  const { programs } = readObject(compile("subprograms"));
  assert.equal(
    programs.map(({ functions }) => functions.map(({ name }) => name)),
    [
      ["first", "add", "twice", "bounded"],
      ["second", "bounded", "twice"],
    ],
  );
  for (const { instructions, functions } of programs) {
    // Each function begins behind an exit, and is where some call or address says.
    for (const { start } of functions.slice(1)) assert.is(formatInstruction(instructions[start - 1]!), "exit");
    const starts = new Set(functions.map(({ start }) => slotCount(instructions.slice(0, start))));
    const targets = instructions.flatMap((instruction, i) =>
      (instruction.opcode === 0x85 && instruction.src === 1) || (instruction.opcode === 0x18 && instruction.src === 4)
        ? [slotCount(instructions.slice(0, i)) + 1 + instruction.immediate]
        : [],
    );
    assert.equal(new Set([0, ...targets]), starts);
  }
});

test("instructions carry their C line", () => {
  const { programs } = readObject(compile("maps"));
  const source = programs[1]!.instructions.find(({ opcode, immediate }) => opcode === 0x85 && immediate === 130)!
    .source!;
  assert.match(source.file, /testdata\/maps\.bpf\.c$/);
  assert.is(source.text, "\tbpf_ringbuf_output(&events, &now, sizeof(now), 0);");
  assert.ok(source.line > 60 && source.column > 1);
});

test("instructions survive encoding and decoding", () => {
  for (const name of ["maps", "globals", "subprograms"]) {
    for (const { instructions } of readObject(compile(name)).programs)
      assert.is(decode(encode(instructions)).length, instructions.length);
  }
});

test("against its own types, everything stays where the compiler saw it", () => {
  const { programs } = readObject(
    compileText(`
    #include "bpf.h"
    struct task_struct { int first; int never_was_there; } __core;
    SEC("raw_tp/sys_enter") int offset(void *ctx) {
      return __builtin_preserve_field_info(((struct task_struct *)0)->never_was_there, 0);
    }
  `),
    { target: "self" },
  );
  assert.is(formatInstruction(programs[0]!.instructions[0]!), "r0 = 4");
});

const head = `#include "bpf.h"\nchar _license[] SEC("license") = "GPL";\n`;
const body = (section: string, text: string, before = "") =>
  `${head}${before}\nSEC("${section}") int program(void *ctx) { ${text} }`;

const unsupported: readonly [title: string, source: string, section: string, symbol: string, message: RegExp][] = [
  [
    "a section name without a hook",
    body("fentry/tcp_connect", "return 0;"),
    "fentry/tcp_connect",
    "program",
    /no program type that can be loaded from the name alone/,
  ],
  [
    "a variable of the kernel",
    body("socket", "return (long)&never_was_there;", "extern const volatile int never_was_there __ksym;"),
    "socket",
    "never_was_there",
    /the running kernel has no such symbol|has no variable/,
  ],
  [
    "a map of maps",
    body(
      "socket",
      "return bpf_map_lookup_elem(&outer, ctx) != 0;",
      "struct inner { __uint(type, ARRAY); __uint(max_entries, 1); __type(key, int); __type(value, int); };\n" +
        "struct { __uint(type, ARRAY_OF_MAPS); __uint(max_entries, 1); __type(key, int); struct inner *values[]; " +
        '} outer SEC(".maps");',
    ),
    ".maps",
    "outer",
    /maps of maps/,
  ],
  [
    "an unknown member of a map declaration",
    body(
      "socket",
      "return bpf_map_lookup_elem(&map, ctx) != 0;",
      'struct { __uint(type, ARRAY); __uint(max_entry, 1); } map SEC(".maps");',
    ),
    ".maps",
    "map",
    /member max_entry is not known/,
  ],
  [
    "an unknown map type",
    body("socket", "return bpf_map_lookup_elem(&map, ctx) != 0;", 'struct { __uint(type, 99); } map SEC(".maps");'),
    ".maps",
    "map",
    /map type 99 is not known/,
  ],
  [
    "maps in the style before BTF",
    body(
      "socket",
      "return bpf_map_lookup_elem(&map, ctx) != 0;",
      'struct { int type, key_size, value_size, max_entries; } map SEC("maps") = { 2, 4, 4, 1 };',
    ),
    "maps",
    "",
    /in the style before BTF/,
  ],
  [
    "a variable initialised with an address",
    body("socket", "return *pointer;", "static int target = 1; int *volatile pointer = &target;"),
    ".data",
    ".data",
    /initialised with the address/,
  ],
];

for (const [title, source, section, symbol, message] of unsupported) {
  test(`the program is refused, naming section and symbol: ${title}`, () => {
    const object = readObject(compileText(`${source}\nSEC("socket") int other(void *ctx) { return 7; }`));
    const [program, other] = object.programs.map(({ name, unsupported }) => ({ name, unsupported }));
    assert.equal(other, { name: "other", unsupported: undefined }, "the file's other program is not affected");
    assert.ok(program!.unsupported instanceof ElfError);
    const error = object.unsupported.find((each) => message.test(each.message));
    assert.ok(error !== undefined, `${message} in ${object.unsupported.map((each) => each.message).join("; ")}`);
    assert.equal([error!.section, error!.symbol ?? ""], [section, symbol]);
    assert.throws(
      () => load(object.programs),
      (thrown: unknown) =>
        thrown instanceof LoaderError &&
        thrown.message.startsWith("program program cannot be loaded: ") &&
        thrown.message.includes(program!.unsupported!.message),
    );
  });
}

test("pinned lists the maps declared with LIBBPF_PIN_BY_NAME", () => {
  const map = (name: string, pinning: number) =>
    "struct { __uint(type, ARRAY); __uint(max_entries, 1); __type(key, int); __type(value, int); " +
    `__uint(pinning, ${pinning}); } ${name} SEC(".maps");`;
  const { maps, pinned } = readObject(
    compileText(
      body(
        "socket",
        "return bpf_map_lookup_elem(&kept, ctx) == bpf_map_lookup_elem(&other, ctx);",
        map("kept", 1) + map("other", 0),
      ),
    ),
  );
  assert.equal(
    maps.map(({ name }) => name),
    ["kept", "other"],
  );
  assert.equal(pinned, ["kept"]);
});

test("a call of a kernel function is left to the loader, by name", () => {
  const { programs } = readObject(
    compileText(body("socket", "bpf_rcu_read_lock(); return 0;", "extern void bpf_rcu_read_lock(void) __ksym;")),
  );
  assert.equal(
    programs[0]!.instructions.map(({ reference }) => reference),
    [{ kind: "kernel-function", name: "bpf_rcu_read_lock" }, undefined, undefined],
  );
  assert.is(programs[0]!.instructions[0]!.src, 2);
});

test("a weak kernel variable that is absent has address 0", () => {
  const { programs } = readObject(
    compileText(
      body("socket", "return &never_was_there == 0;", "extern const volatile int never_was_there __ksym __weak;"),
    ),
  );
  assert.equal(
    programs[0]!.instructions.filter(({ opcode }) => opcode === 0x18).map(({ src, immediate }) => [src, immediate]),
    [[0, 0]],
  );
});

test.run();
