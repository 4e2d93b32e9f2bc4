import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ProgramType } from "../types/index.ts";
import { allHooks, hookOf, hooks, programKinds } from "./index.ts";

const test = suite("hooks");

test("each hook is found by its program type and attach type", () => {
  assert.ok(allHooks.length >= 20);
  for (const hook of allHooks) assert.is(hookOf(hook), hook);
});

test("a type with one hook may leave its attach type out", () => {
  assert.is(hookOf({ type: ProgramType.XDP }), hooks.xdp);
  assert.is(hookOf({ type: ProgramType.CGROUP_SOCK_ADDR }), undefined);
});

test("a section name means one kind of program", () => {
  const sections = programKinds.flatMap((kind) => kind.sections);
  assert.equal(sections, [...new Set(sections)]);
});

test("a program type has one context struct", () => {
  const structs = new Map<ProgramType, string | undefined>();
  for (const { type, contextType } of programKinds) {
    if (structs.has(type)) assert.is(contextType, structs.get(type), `program type ${type}`);
    structs.set(type, contextType);
  }
});

test("fields lie inside of the context", () => {
  for (const { sections, context, contextSize } of allHooks) {
    for (const [name, field] of Object.entries(context)) {
      const end =
        "pointer" in field
          ? field.offset + 4
          : "count" in field
            ? field.element.offset + field.count * field.element.size
            : field.offset + field.size;
      assert.ok(end <= contextSize, `${name} of ${sections[0]} ends at byte ${end}`);
    }
  }
});

test.run();
