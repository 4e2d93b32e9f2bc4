import { readFileSync, writeFileSync } from "node:fs";
import { release } from "node:os";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { fieldOf, kernelBtf, sizeOf } from "../btf/index.ts";
import { cgroup } from "../dsl/index.ts";
import { VerifierError } from "../kernel/index.ts";
import { load, type Collection } from "../loader/index.ts";
import { runTool, toolSuite, withDirectory } from "../testing/index.ts";
import { array, u64, type MapDefinition } from "../types/index.ts";
import { CLANG, compile, compileText } from "./testing/compile.ts";
import { readObject, writeObject, type ObjectFile } from "./index.ts";

const test = toolSuite("elf: programs in C on the kernel", [CLANG, "bpftool"], { kernel: true });

/** As clang made it, and after a way through our own writer. */
const ways: readonly [title: string, read: (name: string) => ObjectFile][] = [
  ["", (name) => readObject(compile(name))],
  [", read, written and read again", (name) => readObject(writeObject(readObject(compile(name)).programs))],
];

const packet = (length: number) => Buffer.alloc(14 + length);
const run = (loaded: Collection, program: string, data: Uint8Array) =>
  loaded.kernel.testRunProgram(loaded.program(program).fd, { data }).returnValue;
const mapOf = (object: ObjectFile, loaded: Collection, name: string) =>
  loaded.map(object.maps.find((map) => map.name === name) as MapDefinition);

for (const [title, read] of ways) {
  test(`two programs of one section share maps${title}`, () => {
    const object = read("maps");
    using loaded = load(object.programs);
    assert.equal([...loaded.maps.keys()], ["services", "flows", "events", "plain"]);
    assert.ok(object.programs.every(({ name }) => loaded.program(name).fd.number >= 0));
  });

  test(`global variables start with their values and keep what the program writes${title}`, () => {
    const object = read("globals");
    using loaded = load(object.programs);
    const value = (name: string) => mapOf(object, loaded, name).get(0);
    assert.is(run(loaded, "globals", packet(86)), 1);
    assert.is(run(loaded, "globals", packet(90)), 1);
    assert.equal(value(".bss"), { calls: 2n, history: [0, 86, 90, 0] });
    assert.equal(value(".data"), { added: 1000, sum: BigInt(7 + 86 * 3 + 1000 + 90 * 3 + 1000), "next.counter": 7 });
    assert.equal(value(".data.own"), { own: 40 + 6 + 7 });
    assert.equal(value(".rodata"), { factor: 3 });
    assert.throws(() => mapOf(object, loaded, ".rodata").set(0, { factor: 4 }), /EPERM/, "constants are frozen");
  });

  test(`subprograms are called, also by a helper${title}`, () => {
    const object = read("subprograms");
    using loaded = load(object.programs);
    const numbers = mapOf(object, loaded, "numbers");
    numbers.set(1, 1000n);
    assert.is(run(loaded, "first", packet(30)), 1);
    // Each element and twice its index: 1000 and 2 * (0 + 1 + … + 7).
    assert.is(numbers.get(7), 1056n);
    run(loaded, "second", packet(30));
    assert.is(numbers.get(6), 60n);
    run(loaded, "second", packet(80));
    assert.is(numbers.get(6), 100n);
  });
}

test("CO-RE finds the running kernel's fields", () => {
  const object = readObject(compile("core"));
  using loaded = load(object.programs);
  loaded.kernel.testRunProgram(loaded.program("core").fd, { repeat: 0 });
  const { seen } = mapOf(object, loaded, ".bss").get(0) as { seen: Record<string, bigint> };
  const btf = kernelBtf();
  const task = btf.find("struct", "task_struct")!;
  const offset = (path: string) => BigInt(fieldOf(btf, task, path).offset / 8);
  const bit = fieldOf(btf, task, "in_execve").offset;
  const word = Math.floor(bit / 32) * 32;
  assert.is(seen["pid_tgid"]! >> 32n, BigInt(process.pid), "read from the task itself");
  assert.equal(seen, {
    pid_tgid: seen["pid_tgid"],
    offset_tgid: offset("tgid"),
    offset_comm_3: offset("comm") + 3n,
    size_comm: 16n,
    exists: 0b0101n,
    size_task: BigInt(sizeOf(btf, task)),
    type_id: BigInt(task),
    enum_value: 27n,
    enum_exists: 0b01n,
    signed_pid: 1n,
    bit_offset: BigInt(word / 8),
    bit_lshift: BigInt(64 - (bit + 1 - word)),
    bit_rshift: 63n,
    matches: 0b01n,
    flavour: offset("pid"),
  });
});

test("reaching a field that the kernel lacks is an error that names field and line", () => {
  const { programs } = readObject(
    compileText(`
    #include "bpf.h"
    struct task_struct { int never_was_there; } __core;
    SEC("raw_tp/sys_enter") int reach(void *ctx)
    {
      struct task_struct *task = (void *)bpf_get_current_task();
      int value = 0;
      bpf_probe_read_kernel(&value, sizeof(value), &task->never_was_there);
      return value;
    }
    char _license[] SEC("license") = "GPL";
  `),
  );
  assert.throws(
    () => load(programs),
    (error: unknown) => {
      if (!(error instanceof VerifierError)) throw error;
      assert.match(
        error.message,
        /text\.bpf\.c:\d+:\d+\): the target kernel has no struct task_struct\.never_was_there/,
      );
      assert.match(error.reason, /invalid func.*#195896080/);
      assert.match(error.source?.text ?? "", /the target kernel has no struct task_struct\.never_was_there/);
      assert.match(error.hint ?? "", /bpf_core_field_exists/);
      return true;
    },
  );
});

test("programs in C and in TypeScript share a map", () => {
  const object = readObject(compile("subprograms"));
  const numbers = array("numbers", { value: u64, maxEntries: 8 });
  const reader = cgroup.egress("reader", (b) => {
    const found = b.lookup(numbers, 6).orReturn(0);
    b.if(found.value.eq(60n), () => b.return(1));
    return 0;
  });
  using loaded = load([...object.programs, reader.compile()]);
  assert.is(run(loaded, "reader", packet(30)), 0);
  run(loaded, "second", packet(30));
  assert.is(loaded.map(numbers).get(6), 60n);
  assert.is(run(loaded, "reader", packet(30)), 1);
});

test("a call of a kernel function is resolved", () => {
  const { programs } = readObject(
    compileText(`
    #include "bpf.h"
    extern void bpf_rcu_read_lock(void) __ksym;
    extern void bpf_rcu_read_unlock(void) __ksym;
    SEC("tc") int locked(struct __sk_buff *skb) { bpf_rcu_read_lock(); bpf_rcu_read_unlock(); return 3; }
    char _license[] SEC("license") = "GPL";
  `),
  );
  using loaded = load(programs);
  assert.is(run(loaded, "locked", packet(50)), 3);
});

const BASE = `#include "bpf.h"
char _license[] SEC("license") = "GPL";
`;

const runs = (source: string, programs: readonly string[]) => {
  const object = readObject(compileText(BASE + source));
  using loaded = load(object.programs);
  return programs.map((name) => run(loaded, name, packet(50)));
};

test("weak kernel functions: the guarded branch runs only if the kernel has the function", () => {
  const source = `
    extern int never_was_there(void *p) __ksym __weak;
    extern void bpf_rcu_read_lock(void) __ksym __weak;
    extern void bpf_rcu_read_unlock(void) __ksym __weak;
    SEC("tc") int absent(struct __sk_buff *skb) { return never_was_there ? never_was_there(skb) : 7; }
    SEC("tc") int present(struct __sk_buff *skb) {
      if (!bpf_rcu_read_lock) return 1;
      bpf_rcu_read_lock();
      bpf_rcu_read_unlock();
      return 8;
    }
  `;
  assert.equal(runs(source, ["absent", "present"]), [7, 8]);
});

test("an unguarded call of a missing weak function is an error that names it", () => {
  const { programs } = readObject(
    compileText(`${BASE}
      extern int never_was_there(void *p) __ksym __weak;
      SEC("tc") int reach(struct __sk_buff *skb) { return never_was_there(skb); }
    `),
  );
  assert.throws(
    () => load(programs),
    (error: unknown) =>
      error instanceof VerifierError &&
      /text\.bpf\.c:\d+:\d+\): the target kernel has no function never_was_there/.test(error.message),
  );
});

test("the running kernel's configuration and version", () => {
  const source = `
    extern _Bool CONFIG_BPF_SYSCALL __attribute__((section(".kconfig")));
    extern int CONFIG_NEVER_WAS_THERE __attribute__((section(".kconfig"))) __weak;
    extern int LINUX_KERNEL_VERSION __attribute__((section(".kconfig")));
    SEC("tc") int syscall(void *ctx) { return CONFIG_BPF_SYSCALL; }
    SEC("tc") int absent(void *ctx) { return CONFIG_NEVER_WAS_THERE; }
    SEC("tc") int major(void *ctx) { return LINUX_KERNEL_VERSION >> 16; }
  `;
  assert.equal(runs(source, ["syscall", "absent", "major"]), [1, 0, Number(release().split(".")[0])]);
});

test("variables of one name stay apart when the map's value is read and written back", () => {
  withDirectory((directory) => {
    const part = (file: string, text: string) => {
      const path = join(directory, file);
      writeFileSync(path, compileText(BASE.replace(/char _license.*/, "") + text));
      return path;
    };
    const one = part("one.o", `static volatile int same = 100; SEC("tc") int one(void *ctx) { return ++same; }`);
    const two = part("two.o", `static volatile int same = 7; SEC("tc") int two(void *ctx) { return ++same; }`);
    const linked = join(directory, "linked.o");
    runTool("bpftool", "gen", "object", linked, one, two);
    const object = readObject(readFileSync(linked));
    using loaded = load(object.programs);
    const data = mapOf(object, loaded, ".data");
    assert.equal(data.get(0), { same: 100, same_2: 7 });
    data.set(0, data.get(0)!);
    assert.equal([run(loaded, "one", packet(50)), run(loaded, "two", packet(50))], [101, 8]);
  });
});

const gcc = toolSuite("elf: what GCC makes", ["bpf-gcc"], { kernel: true });

gcc("its maps, variables and functions are where its own symbols say", () => {
  const { programs } = withDirectory((directory) => {
    const [source, object] = [join(directory, "gcc.c"), join(directory, "gcc.o")];
    writeFileSync(
      source,
      `
      #define SEC(n) __attribute__((section(n), used))
      #define __uint(name, val) int (*name)[val]
      #define __type(name, val) typeof(val) *name
      #define noinline __attribute__((noinline))
      typedef unsigned int u32;
      void *lookup(void *map, const void *key) __attribute__((kernel_helper(1)));
      char _license[] SEC("license") = "GPL";
      struct { __uint(type, 2); __uint(max_entries, 16); __type(key, u32); __type(value, u32); } first SEC(".maps");
      struct { __uint(type, 2); __uint(max_entries, 4); __type(key, u32); __type(value, u32); } second SEC(".maps");
      int a = 1, b[4] = { 10, 20, 30, 40 };
      static volatile int hidden = 7, other = 8;
      const volatile int fixed = 9;
      const char *const names[] = { "ab", "cd" };
      static const int table[] = { 1, 2, 3, 4 };
      noinline int f(int x) { a += x; return x * 2 + fixed + other; }
      noinline int g(int x) { return f(x) + b[2] + a + hidden; }
      static noinline int h(int x) { return g(x) + b[1]; }
      SEC("tc") int sums(void *ctx) { return h(1); }
      SEC("tc") int constants(void *ctx) { return table[a & 3]; }
      SEC("tc") int pointers(void *ctx) { return names[a & 1][0]; }
      SEC("tc") int maps(void *ctx) {
        u32 key = 5, *absent = lookup(&second, &key), *there = lookup(&first, &key);
        return absent ? 1 : there ? 42 : 2;
      }
      `,
    );
    runTool("bpf-gcc", "-O2", "-gbtf", "-mcpu=v3", "-c", source, "-o", object);
    return readObject(readFileSync(object));
  });
  const supported = programs.filter(({ unsupported }) => unsupported === undefined);
  using loaded = load(supported);
  assert.equal(
    supported.map(({ name }) => [name, run(loaded, name, packet(50))]),
    [
      ["sums", 1 * 2 + 9 + 8 + 30 + 2 + 7 + 20],
      ["constants", 3],
      ["maps", 42],
    ],
  );
  assert.match(
    programs.find(({ name }) => name === "pointers")!.unsupported!.message,
    /variable names is initialised with the address of this symbol/,
  );
});

test.run();
gcc.run();
