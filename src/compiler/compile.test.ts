import { suite } from "uvu";
import * as assert from "uvu/assert";
import { assemble, formatInstruction, type Instruction } from "../asm/index.ts";
import { array, u64 } from "../types/index.ts";
import { compile, CompileError, type CompileOptions } from "./index.ts";
import { validate } from "./ir/validate.ts";
import { parseFunction } from "./testing/parse.ts";

const test = suite("compiler: from the intermediate form to instructions");
const maps = [array("counters", { value: u64, maxEntries: 4 })];

function compiled(texts: string | readonly string[], options: CompileOptions = {}) {
  const [main, ...others] = [texts].flat().map((text) =>
    parseFunction(text, {
      maps,
      effects: { bpf_ktime_get_ns: {}, bpf_map_lookup_elem: { removable: true, reads: [0, 1] } },
    }),
  );
  return compile({ functions: [main!, ...others] }, { validate: true, ...options });
}

const listing = (instructions: readonly Instruction[]): string[] => instructions.map((i) => formatInstruction(i));

test("without calls the context stays in its register", () => {
  assert.equal(
    listing(
      compiled(`
    function main(v0: ptr)
    b0:
      v1: i32 = load4 context [v0 + 4]
      v2: i32 = 1
      store4 context [v0 + 24], v1
      return v2`).instructions,
    ),
    ["r2 = *(u32 *)(r1 + 4)", "*(u32 *)(r1 + 24) = r2", "r0 = 1", "exit"],
  );
});

test("a value that lives across a call gets r6 to r9, and arguments are computed in their registers", () => {
  assert.equal(
    listing(
      compiled(`
    function main(v0: ptr)
    b0:
      v1: ptr = stack key#0 (4 bytes, align 4)
      v2: i32 = 0
      store4 stack [v1], v2
      v3: ptr = map counters
      v4: ptr = call bpf_map_lookup_elem(v3, v1)
      v5: ptr = 0
      v6: i32 = 1
      if v4 eq v5 then b2 else b1
    b1:
      v7: i64 = 1
      atomic-add8 map [v4], v7
      v8: i32 = load4 context [v0 + 8]
      jump b2
    b2:
      return v6`).instructions,
    ),
    [
      "*(u32 *)(r10 - 4) = 0",
      "r1 = map[counters] ll",
      "r2 = r10",
      "r2 += -4",
      "call bpf_map_lookup_elem#1",
      "if r0 == 0x0 goto +2",
      "r1 = 1",
      "lock *(u64 *)(r0 + 0) += r1",
      "r0 = 1",
      "exit",
    ],
  );
});

test("a constant is stored into the context through a register, as older kernels require", () => {
  const [first, second] = listing(
    compiled(`
    function main(v0: ptr)
    b0:
      v1: i32 = 7
      store4 context [v0 + 4], v1
      return v1`).instructions,
  );
  assert.equal([first, second], ["r2 = 7", "*(u32 *)(r1 + 4) = r2"]);
});

const comparison = (isa: 1 | 2 | 3): string[] =>
  listing(
    compiled(
      `
    function main(v0: ptr)
    b0:
      v1: i32 = load4 context [v0]
      v2: i32 = load4 context [v0 + 4]
      v3: i32 = 0
      v4: i32 = 1
      if v1 lt v2 then b1 else b2
    b1:
      store4 context [v0 + 8], v1
      return v3
    b2:
      return v4`,
      { isa },
    ).instructions,
  ).filter((line) => line.startsWith("if"));

test("each instruction set uses its own comparisons", () => {
  assert.match(comparison(3)[0]!, /^if w\d (>=|<) w\d/);
  assert.match(comparison(2)[0]!, /^if r\d (>=|<) r\d/);
  assert.match(comparison(1)[0]!, /^if r\d (>=|>) r\d/);
});

test("uncalled functions are left out, called functions follow the main one", () => {
  const callee = "function callee(v0: i64)\nb0:\nreturn v0";
  const { functions, instructions } = compiled([
    "function main(v0: ptr)\nb0:\nv1: i64 = 5\nv2: i64 = call-function callee(v1)\nreturn v2",
    "function unused(v0: i64)\nb0:\nreturn v0",
    callee,
  ]);
  assert.equal(functions, [
    { name: "main", start: 0 },
    { name: "callee", start: 3 },
  ]);
  assert.is(formatInstruction(instructions[1]!), "call pc+1");
});

const large = (name: string, bytes: number, then: string) => `
  function ${name}(v0: ptr)
  b0:
    v1: ptr = stack ${name}_struct#0 (${bytes} bytes, align 8)
    v2: i64 = 0
    store8 stack [v1], v2
    ${then}
    v3: i64 = call bpf_ktime_get_ns()
    v4: i64 = load8 stack [v1]
    v5: i64 = add v3, v4
    return v5`;

test("the error for a frame over the limit names its slots", () => {
  assert.throws(
    () =>
      compiled(`
    function main(v0: ptr)
    b0:
      v1: ptr = stack huge#0 (400 bytes, align 8)
      v2: ptr = stack other#1 (200 bytes, align 8)
      v3: i64 = call bpf_ktime_get_ns(v1, v2)
      return v3`),
    (error: unknown) => error instanceof CompileError && /huge 400 bytes, other 200 bytes/.test(error.message),
  );
});

test("the error for a call chain over the stack limit names each frame", () => {
  assert.throws(
    () =>
      compiled([large("main", 300, "v6: i64 = call-function below(v0)"), large("below", 300, "")], { optimise: false }),
    (error: unknown) =>
      error instanceof CompileError && /main \(304 bytes\) calls below \(304 bytes\)/.test(error.message),
  );
});

test("recursion is refused", () => {
  assert.throws(
    () => compiled("function main(v0: ptr)\nb0:\nv1: i64 = call-function main(v0)\nreturn v1"),
    /main calls main: a BPF program can't recurse/,
  );
});

test("the error for an atomic operation that the instruction set lacks says what works", () => {
  const text = (operation: string): string => `
    function main(v0: ptr)
    b0:
      v1: ptr = map-value counters + 0
      v2: i64 = 1
      v3: i64 = ${operation}
      return v3`;
  for (const operation of ["atomic-add-fetch8 map [v1], v2", "compare-exchange8 map [v1], v2, v2"]) {
    compiled(text(operation), { isa: 3 });
    for (const isa of [1, 2] as const) {
      assert.throws(
        () => compiled(text(operation), { isa }),
        (error: unknown) => error instanceof CompileError && /^main: .* needs instruction set 3/.test(error.message),
      );
    }
  }
});

test("every instruction has its source line, moves included", () => {
  const source = { file: "/program.ts", line: 3, column: 1 };
  const fn = parseFunction(
    "function main(v0: ptr)\nb0:\nv1: i64 = call bpf_ktime_get_ns()\nv2: i64 = call bpf_ktime_get_ns()\n" +
      "v3: i64 = sub v2, v1\nreturn v3",
  );
  const withSource = {
    ...fn,
    blocks: fn.blocks.map((block) => ({
      ...block,
      instructions: block.instructions.map((i) => ({ ...i, source })),
      terminator: { ...block.terminator, source },
    })),
  };
  const { instructions } = compile({ functions: [withSource] });
  assert.ok(instructions.length > 3);
  assert.equal(
    instructions.map((i) => i.source),
    instructions.map(() => source),
  );
});

test("values that find no register across a call are spilled and reloaded", () => {
  const loads = Array.from({ length: 7 }, (_, i) => `v${i + 1}: i64 = load8 map [v0 + ${8 * i}]`);
  const sums = Array.from({ length: 7 }, (_, i) => `v${i + 20}: i64 = add v${i === 0 ? 8 : i + 19}, v${i + 1}`);
  const { instructions, stackBytes } = compiled(
    `function main(v0: ptr)\nb0:\n${loads.join("\n")}\nv8: i64 = call bpf_ktime_get_ns()\n${sums.join("\n")}\n` +
      "return v26",
  );
  assert.is(stackBytes, 24);
  assert.is(instructions.filter(({ opcode, dst }) => opcode === 0x7b && dst === 10).length, 3, "three are stored");
  assert.is(instructions.filter(({ opcode, src }) => opcode === 0x79 && src === 10).length, 3, "and loaded");
  assert.equal(assemble(instructions).length, instructions.length);
});

/** Seven fields of the context, read before a call and used after it. */
const fields = (type: string, end: string): Instruction[] => {
  const loads = Array.from(
    { length: 7 },
    (_, i) => `v${i + 1}: ${type} = load${type === "i32" ? 4 : 8} context [v0 + ${8 * i}]`,
  );
  return compiled(`function main(v0: ptr)\nb0:\n${loads.join("\n")}\nv8: i64 = call bpf_ktime_get_ns()\n${end}`)
    .instructions;
};

test("a context field is read again after a call instead of spilled", () => {
  const sums = Array.from({ length: 6 }, (_, i) => `v${i + 20}: i32 = add v${i === 0 ? 1 : i + 19}, v${i + 2}`);
  assert.not.ok(fields("i32", `${sums.join("\n")}\nreturn v25`).some(({ dst, src }) => dst === 10 || src === 10));
});

test("pointers, and numbers that the verifier may have bounded, are spilled", () => {
  const stores = Array.from({ length: 7 }, (_, i) => `store8 map [v30 + ${8 * i}], v${i + 1}`);
  const usesStack = (list: readonly Instruction[]): boolean => list.some(({ dst, src }) => dst === 10 || src === 10);
  assert.ok(usesStack(fields("ptr", `v30: ptr = map-value counters + 0\n${stores.join("\n")}\nreturn v8`)));
  const branches = Array.from(
    { length: 7 },
    (_, i) => `v${i + 10}: i32 = compare lt v${i + 1}, v${((i + 1) % 7) + 1}\nstore4 map [v30 + ${4 * i}], v${i + 10}`,
  );
  assert.ok(usesStack(fields("i32", `v30: ptr = map-value counters + 0\n${branches.join("\n")}\nreturn v8`)));
});

test("the checker refuses invalid forms", () => {
  const bad = (text: string, message: RegExp): void => {
    assert.throws(() => validate(parseFunction(text), "test"), message);
  };
  bad("function f(v0: ptr)\nb0:\nv1: i32 = add v2, v2\nv2: i32 = 1\nreturn v1", /may not have been set/);
  bad("function f(v0: ptr)\nb0:\nv1: i32 = 1\njump b1\nb1(v2: i32):\nreturn v2", /takes 1 values and is given 0/);
  bad(
    "function f(v0: ptr)\nb0:\nv1: i32 = 1\njump b1(v1)\nb1(v2: i64):\nreturn v2",
    /v2 is i64, and is given v1, which is i32/,
  );
  bad("function f(v0: ptr)\nb0:\nreturn v0\nb1:\nreturn v0", /can't be reached/);
  bad("function f(v0: ptr)\nb0:\nv1: i64 = mul v0, v0\nreturn v1", /only the difference/);
  bad("function f(v0: ptr)\nb0:\nv1: i32 = load4 context [v0 + 40000]\nreturn v1", /does not fit 16 bits/);
});

test.run();
