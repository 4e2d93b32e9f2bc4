import { suite } from "uvu";
import * as assert from "uvu/assert";
import { array, u64 } from "../../types/index.ts";
import { becomes, rewritten } from "../testing/passes.ts";
import { simplifyControlFlow } from "./control-flow.ts";
import { removeDeadCode } from "./dead-code.ts";
import { removeDeadStores } from "./dead-stores.ts";
import { joinEqualBlocks } from "./equal-blocks.ts";
import { foldAddresses } from "./fold-addresses.ts";
import { forwardLoads } from "./load-forwarding.ts";
import { shareSlots } from "./slot-sharing.ts";
import { mergeStores } from "./store-merging.ts";
import { numberValues } from "./value-numbering.ts";
import type { IrFunction } from "../ir/ir.ts";

const test = suite("compiler: passes");
const maps = [array("counters", { value: u64, maxEntries: 4 })];
const effects = {
  bpf_map_lookup_elem: { removable: true, reads: [0, 1] },
  bpf_map_delete_elem: { reads: [0, 1], clobbers: ["map" as const] },
  bpf_ktime_get_ns: {},
};
const options = { maps, effects };
const numbered = (fn: IrFunction): IrFunction => removeDeadCode(numberValues(fn));

test("value numbering folds constants", () => {
  becomes(
    numbered,
    `
    function f(v0: ptr)
    b0:
      v1: i32 = 6
      v2: i32 = 7
      v3: i32 = mul v1, v2
      return v3`,
    `
    function f(v0: ptr)
    b0:
      v3: i32 = 42
      return v3`,
  );
});

/** The result of an expression over an unknown i32 (v1), an unknown i64 (v2) and a byte (v3). */
function expression(lines: string): string {
  const text = rewritten(
    numbered,
    `
    function f(v0: ptr)
    b0:
      v1: i32 = load4 context [v0]
      v2: i64 = load8 context [v0 + 8]
      v3: i32 = load1 context [v0 + 16]
      ${lines}
      return v9`,
  );
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => !/^(function|b0|v[123]: .* = load|$)/.test(line))
    .join("; ");
}

const rules: readonly [name: string, before: string, after: string][] = [
  ["adding 0", "v4: i32 = 0\nv9: i32 = add v1, v4", "return v1"],
  [
    "multiplying by a power of two",
    "v4: i32 = 8\nv9: i32 = mul v1, v4",
    "v10: i32 = 3; v9: i32 = lsh v1, v10; return v9",
  ],
  [
    "dividing by a power of two",
    "v4: i64 = 16\nv9: i64 = div v2, v4",
    "v10: i64 = 4; v9: i64 = rsh v2, v10; return v9",
  ],
  [
    "the remainder by a power of two",
    "v4: i64 = 16\nv9: i64 = mod v2, v4",
    "v10: i64 = 15; v9: i64 = and v2, v10; return v9",
  ],
  ["dividing by 0", "v4: i64 = 0\nv9: i64 = div v2, v4", "v4: i64 = 0; return v4"],
  ["the remainder by 0", "v4: i64 = 0\nv9: i64 = mod v2, v4", "return v2"],
  ["a mask without effect", "v4: i32 = 255\nv9: i32 = and v3, v4", "return v3"],
  ["zero-extending a small number", "v9: i32 = zero-extend8 v3", "return v3"],
  ["sign-extending a positive number", "v9: i32 = sign-extend16 v3", "return v3"],
  ["widening and narrowing again", "v4: i64 = zero-extend32 v1\nv9: i32 = truncate v4", "return v1"],
  ["swapping bytes twice", "v4: i32 = byteswap32 v1\nv9: i32 = byteswap32 v4", "return v1"],
  ["swapping the bytes of a constant", "v4: i32 = 80\nv9: i32 = byteswap16 v4", "v9: i32 = 20480; return v9"],
  [
    "swapped bytes compared with a constant",
    "v4: i32 = byteswap32 v1\nv5: i32 = 80\nv9: i32 = compare eq v4, v5",
    "v10: i32 = 1342177280; v9: i32 = compare eq v1, v10; return v9",
  ],
  [
    "sums of constants",
    "v4: i32 = 3\nv5: i32 = add v1, v4\nv6: i32 = 4\nv9: i32 = add v5, v6",
    "v10: i32 = 7; v9: i32 = add v1, v10; return v9",
  ],
  ["a comparison that can't be true", "v4: i32 = 256\nv9: i32 = compare ge v3, v4", "v9: i32 = 0; return v9"],
  [
    "a signed comparison of a number that is never negative",
    "v4: i32 = 5\nv9: i32 = compare slt v3, v4",
    "v4: i32 = 5; v9: i32 = compare lt v3, v4; return v9",
  ],
  [
    "the opposite of a comparison",
    "v4: i32 = compare lt v1, v3\nv5: i32 = 0\nv9: i32 = compare eq v4, v5",
    "v9: i32 = compare ge v1, v3; return v9",
  ],
  [
    "a shift there and back",
    "v4: i64 = 32\nv5: i64 = lsh v2, v4\nv9: i64 = rsh v5, v4",
    "v9: i64 = zero-extend32 v2; return v9",
  ],
  [
    "the same expression twice",
    "v4: i32 = add v1, v3\nv5: i32 = add v3, v1\nv9: i32 = sub v4, v5",
    "v9: i32 = 0; return v9",
  ],
];
for (const [name, before, after] of rules) {
  test(`value numbering: ${name}`, () => {
    assert.is(expression(before).replace(/v1[0-9]/g, "v10"), after);
  });
}

test("value numbering decides a comparison that a dominating branch has decided", () => {
  becomes(
    (fn) => removeDeadCode(simplifyControlFlow(numberValues(fn))),
    `
    function f(v0: ptr)
    b0:
      v1: i32 = load4 context [v0]
      v2: i32 = 5
      v3: i32 = 1
      if v1 lt v2 then b1 else b2
    b1:
      if v1 ge v2 then b3 else b2
    b2:
      return v2
    b3:
      return v3`,
    `
    function f(v0: ptr)
    b0:
      v2: i32 = 5
      return v2`,
  );
});

test("control flow: a branch on a comparison's result tests the comparison itself", () => {
  becomes(
    (fn) => removeDeadCode(simplifyControlFlow(numberValues(fn))),
    `
    function f(v0: ptr)
    b0:
      v1: i32 = load4 context [v0]
      v2: i32 = 5
      v3: i32 = 1
      v4: i32 = 0
      if v1 lt v2 then b1 else b2
    b1:
      jump b3(v3)
    b2:
      jump b3(v4)
    b3(v5: i32):
      if v5 ne v4 then b4 else b5
    b4:
      return v2
    b5:
      return v3`,
    `
    function f(v0: ptr)
    b0:
      v2: i32 = 5
      v3: i32 = 1
      v1: i32 = load4 context [v0]
      if v1 lt v2 then b4 else b5
    b5:
      return v3
    b4:
      return v2`,
  );
});

test("control flow: a parameter that is always the same is removed", () => {
  becomes(
    simplifyControlFlow,
    `
    function f(v0: ptr)
    b0:
      v1: i32 = load4 context [v0]
      v2: i32 = load4 context [v0 + 4]
      if v1 lt v2 then b1 else b2
    b1:
      store4 context [v0 + 8], v1
      jump b3(v1)
    b2:
      store4 context [v0 + 8], v2
      jump b3(v1)
    b3(v5: i32):
      return v5`,
    `
    function f(v0: ptr)
    b0:
      v1: i32 = load4 context [v0]
      v2: i32 = load4 context [v0 + 4]
      if v1 lt v2 then b1 else b2
    b1:
      store4 context [v0 + 8], v1
      jump b3
    b2:
      store4 context [v0 + 8], v2
      jump b3
    b3:
      return v1`,
  );
});

test("load forwarding: the context is read once, until the program stores to that field", () => {
  becomes(
    forwardLoads,
    `
    function f(v0: ptr)
    b0:
      v1: i32 = load4 context [v0 + 4]
      v2: i64 = call bpf_ktime_get_ns()
      v3: i32 = load4 context [v0 + 4]
      store4 context [v0 + 4], v3
      v4: i32 = load4 context [v0 + 4]
      v5: i32 = add v1, v4
      return v5`,
    `
    function f(v0: ptr)
    b0:
      v1: i32 = load4 context [v0 + 4]
      v2: i64 = call bpf_ktime_get_ns()
      store4 context [v0 + 4], v1
      v4: i32 = load4 context [v0 + 4]
      v5: i32 = add v1, v4
      return v5`,
    options,
  );
});

test("load forwarding: a map's value is read again after a call and after a store that may overlap", () => {
  const text = `
    function f(v0: ptr, v1: ptr)
    b0:
      v2: i64 = load8 map [v0]
      v3: i64 = load8 map [v0 + 8]
      store8 map [v0 + 8], v2
      v4: i64 = load8 map [v0]
      v5: i64 = load8 map [v0 + 8]
      store8 map [v1], v4
      v6: i64 = load8 map [v0]
      v7: i64 = call bpf_ktime_get_ns()
      v8: i64 = load8 map [v0]
      v9: i64 = add v5, v6
      v10: i64 = add v9, v8
      return v10`;
  becomes(
    forwardLoads,
    text,
    text.replace("      v4: i64 = load8 map [v0]\n", "").replace("store8 map [v1], v4", "store8 map [v1], v2"),
    options,
  );
});

test("load forwarding: a value stored on the stack is used in place of a load of the same width", () => {
  becomes(
    forwardLoads,
    `
    function f(v0: ptr)
    b0:
      v1: i32 = load4 context [v0]
      v2: ptr = stack s#0 (8 bytes, align 8)
      store2 stack [v2], v1
      v3: i32 = load2 stack [v2]
      return v3`,
    `
    function f(v0: ptr)
    b0:
      v1: i32 = load4 context [v0]
      v2: ptr = stack s#0 (8 bytes, align 8)
      store2 stack [v2], v1
      v3: i32 = zero-extend16 v1
      return v3`,
  );
});

test("load forwarding: all predecessors must agree, and a loop must not change the place", () => {
  const text = `
    function f(v0: ptr)
    b0:
      v1: i32 = load4 context [v0]
      v9: i32 = load4 context [v0 + 8]
      jump b1
    b1:
      v2: i32 = load4 context [v0]
      v8: i32 = load4 context [v0 + 8]
      if v2 eq v1 then b2 else b3
    b3:
      v3: i32 = add v2, v8
      return v3
    b2:
      store4 context [v0 + 8], v9
      jump b1`;
  becomes(
    forwardLoads,
    text,
    text
      .replace("      v2: i32 = load4 context [v0]\n", "")
      .replace("v2 eq v1", "v1 eq v1")
      .replace("add v2", "add v1"),
  );
});

test("dead stores: overwritten and unread stores are removed, stores that a helper reads stay", () => {
  becomes(
    removeDeadStores,
    `
    function f(v0: ptr)
    b0:
      v1: ptr = stack key#0 (4 bytes, align 4)
      v2: i32 = 1
      store4 stack [v1], v2
      v3: i32 = 2
      store4 stack [v1], v3
      v4: ptr = map counters
      v5: ptr = call bpf_map_lookup_elem(v4, v1)
      store4 stack [v1], v2
      return v2`,
    `
    function f(v0: ptr)
    b0:
      v1: ptr = stack key#0 (4 bytes, align 4)
      v2: i32 = 1
      v3: i32 = 2
      store4 stack [v1], v3
      v4: ptr = map counters
      v5: ptr = call bpf_map_lookup_elem(v4, v1)
      return v2`,
    options,
  );
});

test("store merging: neighbouring constants, and a number beside zeroes", () => {
  becomes(
    mergeStores,
    `
    function f(v0: ptr)
    b0:
      v1: ptr = stack key#0 (12 bytes, align 4)
      v2: i32 = 0
      v3: i32 = load2 context [v0]
      store4 stack [v1], v2
      store2 stack [v1 + 4], v2
      store2 stack [v1 + 6], v2
      store2 stack [v1 + 8], v3
      store2 stack [v1 + 10], v2
      v4: ptr = map counters
      v5: i64 = call bpf_map_delete_elem(v4, v1)
      return v5`,
    `
    function f(v0: ptr)
    b0:
      v1: ptr = stack key#0 (12 bytes, align 4)
      v2: i32 = 0
      v3: i32 = load2 context [v0]
      store4 stack [v1 + 8], v3
      v6: i64 = 0
      store8 stack [v1], v6
      v4: ptr = map counters
      v5: i64 = call bpf_map_delete_elem(v4, v1)
      return v5`,
    options,
  );
});

test("store merging respects the known alignment of a map's value", () => {
  const text = `
    function f(v0: ptr)
    b0:
      v1: i32 = 0
      store2 map [v0 + 2], v1
      store2 map [v0 + 4], v1
      return v1`;
  becomes(mergeStores, text, text);
});

test("slot sharing: two keys used in turn share a slot, and equal content is stored once", () => {
  becomes(
    (fn) => removeDeadCode(forwardLoads(numberValues(shareSlots(fn)))),
    `
    function f(v0: ptr)
    b0:
      v1: ptr = stack key#0 (4 bytes, align 4)
      v2: i32 = load4 context [v0]
      store4 stack [v1], v2
      v4: ptr = map counters
      v5: i64 = call bpf_map_delete_elem(v4, v1)
      v6: ptr = stack key#1 (4 bytes, align 4)
      store4 stack [v6], v2
      v7: i64 = call bpf_map_delete_elem(v4, v6)
      return v7`,
    `
    function f(v0: ptr)
    b0:
      v1: ptr = stack key#0 (4 bytes, align 4)
      v4: ptr = map counters
      v2: i32 = load4 context [v0]
      store4 stack [v1], v2
      call bpf_map_delete_elem(v4, v1)
      v7: i64 = call bpf_map_delete_elem(v4, v1)
      return v7`,
    options,
  );
});

test("equal blocks become one", () => {
  becomes(
    joinEqualBlocks,
    `
    function f(v0: ptr)
    b0:
      v1: i32 = load4 context [v0]
      v2: i32 = load4 context [v0 + 4]
      if v1 lt v2 then b1 else b2
    b1:
      v3: i32 = add v1, v2
      return v3
    b2:
      v4: i32 = add v1, v2
      return v4`,
    `
    function f(v0: ptr)
    b0:
      v1: i32 = load4 context [v0]
      v2: i32 = load4 context [v0 + 4]
      if v1 lt v2 then b1 else b1
    b1:
      v3: i32 = add v1, v2
      return v3`,
  );
});

test("address folding: constant additions move into the offsets of accesses", () => {
  becomes(
    (fn) => removeDeadCode(foldAddresses(fn)),
    `
    function f(v0: ptr)
    b0:
      v1: i64 = 8
      v2: ptr = add v0, v1
      v3: ptr = add v2, v1
      v4: i32 = load4 context [v3 + 4]
      return v4`,
    `
    function f(v0: ptr)
    b0:
      v4: i32 = load4 context [v0 + 20]
      return v4`,
  );
});

test("dead code: unused results and parameters are removed, stores and unremovable calls stay", () => {
  becomes(
    removeDeadCode,
    `
    function f(v0: ptr)
    b0:
      v1: i32 = load4 context [v0]
      v2: ptr = map counters
      v3: ptr = stack key#0 (4 bytes, align 4)
      store4 stack [v3], v1
      v4: ptr = call bpf_map_lookup_elem(v2, v3)
      v5: i64 = call bpf_map_delete_elem(v2, v3)
      v6: i32 = add v1, v1
      jump b1(v6)
    b1(v7: i32):
      return v1`,
    `
    function f(v0: ptr)
    b0:
      v1: i32 = load4 context [v0]
      v2: ptr = map counters
      v3: ptr = stack key#0 (4 bytes, align 4)
      store4 stack [v3], v1
      call bpf_map_delete_elem(v2, v3)
      jump b1
    b1:
      return v1`,
    options,
  );
});

test.run();
