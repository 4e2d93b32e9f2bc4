import { release } from "node:os";
import * as assert from "uvu/assert";
import { Btf, BtfBuilder } from "../btf/index.ts";
import { toolSuite } from "../testing/index.ts";
import { decodeValue, MapFlag, type MapDefinition } from "../types/index.ts";
import { CLANG, compileText } from "./testing/compile.ts";
import { readObject } from "./index.ts";

const test = toolSuite("elf: symbols of the kernel", [CLANG]);

const HEAD = `
  #include "bpf.h"
  #define __kconfig __attribute__((section(".kconfig")))
  enum libbpf_tristate { TRI_NO, TRI_YES, TRI_MODULE };
  char _license[] SEC("license") = "GPL";
`;

/** `int f(void)` as a kernel function, and an `int` variable, if `type` is "int". */
function kernelWith(type: "int" | "pointer"): Btf {
  const b = new BtfBuilder();
  const int = b.add({ kind: "int", name: "int", size: 4, bits: 32, encoding: "signed" });
  const result = type === "int" ? int : b.add({ kind: "ptr", type: int });
  const prototype = b.add({ kind: "func_proto", returns: result, parameters: [] });
  b.add({ kind: "func", name: "f", type: prototype, linkage: "static" });
  b.add({ kind: "var", name: "v", type: result, linkage: "global" });
  return new Btf(b.encode());
}

const externs = (weak: string) =>
  compileText(`${HEAD}
    extern int f(void) __ksym ${weak};
    extern const int v __ksym ${weak};
    SEC("tc") int program(struct __sk_buff *skb) {
      if (skb->len > 50) return f();
      if (skb->len > 40) return (long)&f;
      return (long)&v;
    }
  `);

test("a weak function or variable that the kernel has is called and addressed", () => {
  const target = kernelWith("int");
  const { instructions } = readObject(externs("__weak"), { target }).programs[0]!;
  assert.equal(
    instructions.flatMap(({ reference }) => reference ?? []),
    [{ kind: "kernel-function", name: "f" }],
  );
  const addresses = instructions.filter(({ opcode }) => opcode === 0x18).map(({ src, immediate }) => [src, immediate]);
  assert.equal(addresses, [
    [3, target.find("func", "f")!],
    [3, target.find("var", "v")!],
  ]);
});

for (const [title, target] of [
  ["that the kernel lacks", new Btf(new BtfBuilder().encode())],
  ["of another type than the kernel's", kernelWith("pointer")],
] as const) {
  test(`a weak function or variable ${title} has address 0, and its call is refused where it is reached`, () => {
    const { programs, unsupported } = readObject(externs("__weak"), { target });
    assert.equal(unsupported, []);
    const { instructions } = programs[0]!;
    const addresses = instructions.filter(({ opcode }) => opcode === 0x18).map((each) => [each.src, each.immediate]);
    assert.equal(addresses, [
      [0, 0],
      [0, 0],
    ]);
    const missing = instructions.find(({ reference }) => reference?.kind === "missing");
    assert.match(
      missing?.reference?.kind === "missing" ? missing.reference.name : "",
      /^the target kernel('s| has no) function f/,
    );
  });

  test(`a strong one ${title} is an error of its program`, () => {
    const { programs } = readObject(externs(""), { target });
    assert.match(programs[0]!.unsupported!.message, /section tc, symbol f: the target kernel('s| has no) function f/);
  });
}

test("a kernel function's flavour stands for the function", () => {
  const object = readObject(
    compileText(`${HEAD}
      extern int f___new(void) __ksym __weak;
      SEC("tc") int program(void *ctx) { return f___new(); }
    `),
    { target: kernelWith("int") },
  );
  assert.equal(object.programs[0]!.instructions[0]!.reference, { kind: "kernel-function", name: "f" });
});

const KCONFIG = `
CONFIG_ON=y
# CONFIG_OFF is not set
CONFIG_PART=m
CONFIG_NUMBER=250
CONFIG_HEX=0xffff8000
CONFIG_NEGATIVE=-3
CONFIG_TEXT="a longer text"
`;

const read = (declarations: string, body: string, kconfig = KCONFIG) =>
  readObject(compileText(`${HEAD}${declarations}\nSEC("tc") int program(void *ctx) { ${body} }`), { kconfig });

const valueOf = (map: MapDefinition) => decodeValue(map.value, map.initialValue!);

test("kernel configuration, in every type that a variable may have", () => {
  const { maps, unsupported } = read(
    `
    extern _Bool CONFIG_ON __kconfig;
    extern enum libbpf_tristate CONFIG_PART __kconfig;
    extern char CONFIG_ON_ __kconfig __weak;
    extern int CONFIG_NUMBER __kconfig;
    extern unsigned long CONFIG_HEX __kconfig;
    extern short CONFIG_NEGATIVE __kconfig;
    extern const char CONFIG_TEXT[6] __kconfig;
    extern int CONFIG_OFF __kconfig __weak;
    `,
    "return CONFIG_ON + CONFIG_PART + CONFIG_ON_ + CONFIG_NUMBER + CONFIG_HEX + CONFIG_NEGATIVE + " +
      "CONFIG_TEXT[((long)ctx) & 3] + CONFIG_OFF;",
  );
  assert.equal(unsupported, []);
  assert.equal(
    maps.map(({ name, flags, frozen }) => [name, flags, frozen]),
    [[".kconfig", MapFlag.RDONLY_PROG, true]],
  );
  const value = valueOf(maps[0]!) as Record<string, unknown>;
  assert.equal(value["CONFIG_TEXT"], [...Buffer.from("a lon\0")]);
  const { CONFIG_TEXT: _, ...rest } = value;
  assert.equal(rest, {
    CONFIG_ON: 1,
    CONFIG_PART: 2,
    CONFIG_ON_: 0,
    CONFIG_NUMBER: 250,
    CONFIG_HEX: 0xffff8000n,
    CONFIG_NEGATIVE: -3,
    CONFIG_OFF: 0,
  });
});

test("a tristate as a character", () => {
  const { maps } = read("extern char CONFIG_PART __kconfig;", "return CONFIG_PART;");
  assert.equal(valueOf(maps[0]!), { CONFIG_PART: "m".charCodeAt(0) });
});

test("the kernel's version", () => {
  const { maps } = read("extern int LINUX_KERNEL_VERSION __kconfig;", "return LINUX_KERNEL_VERSION;");
  const version = (valueOf(maps[0]!) as { LINUX_KERNEL_VERSION: number }).LINUX_KERNEL_VERSION;
  assert.is(`${version >> 16}.${(version >> 8) & 255}`, release().split(".").slice(0, 2).join("."));
});

const refused: readonly [title: string, declaration: string, name: string, message: RegExp][] = [
  [
    "strong and not set",
    "extern int CONFIG_OFF __kconfig;",
    "CONFIG_OFF",
    /the kernel's configuration does not set it/,
  ],
  ["strong and unknown", "extern int LINUX_NOTHING __kconfig;", "LINUX_NOTHING", /names begin with CONFIG_, or are/],
  ["m in a bool", "extern _Bool CONFIG_PART __kconfig;", "CONFIG_PART", /the variable is bool, not a tristate \(m\)/],
  ["y in an int", "extern int CONFIG_ON __kconfig;", "CONFIG_ON", /the variable is int, not bool or tristate \(y\)/],
  ["a number in a bool", "extern _Bool CONFIG_NUMBER __kconfig;", "CONFIG_NUMBER", /is bool, not a number \(250\)/],
  ["a text in an int", "extern int CONFIG_TEXT __kconfig;", "CONFIG_TEXT", /is int, not a text/],
  ["a number too large", "extern short CONFIG_HEX __kconfig;", "CONFIG_HEX", /has 16 bits, too few for 0xffff8000/],
];

for (const [title, declaration, name, message] of refused) {
  test(`kernel configuration refused: ${title}`, () => {
    const error = read(declaration, `return ${name};`).programs[0]!.unsupported;
    assert.match(error!.message, message);
    assert.match(error!.message, new RegExp(`^section tc, symbol ${name}: `));
  });
}

test("against its own types, an object asks nothing of the kernel", () => {
  const object = readObject(
    compileText(`${HEAD}
      extern int CONFIG_OFF __kconfig;
      extern int f(void) __ksym;
      SEC("tc") int program(void *ctx) { return &f ? CONFIG_OFF : f(); }
    `),
    { target: "self" },
  );
  assert.equal(object.unsupported, []);
  assert.equal(valueOf(object.maps[0]!), { CONFIG_OFF: 0 });
});

test.run();
