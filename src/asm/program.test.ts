import { suite } from "uvu";
import * as assert from "uvu/assert";
import { hash, AttachType, ProgramType, u32, u64 } from "../types/index.ts";
import { call, callFunction, exit, label, lddw, loadFunction, loadMap, mov } from "./operations/index.ts";
import { AsmError } from "./error.ts";
import { program, type ProgramParts } from "./program.ts";
import { r0, r1, r2 } from "./register.ts";

const test = suite("asm/program");

const counters = hash("counters", { key: u32, value: u64, maxEntries: 8 });
const hook = {
  name: "connect4",
  type: ProgramType.CGROUP_SOCK_ADDR,
  expectedAttachType: AttachType.CGROUP_INET4_CONNECT,
  section: "cgroup/connect4",
} as const;
const refused = (parts: Omit<ProgramParts, keyof typeof hook>, why: RegExp) =>
  assert.throws(
    () => program({ ...hook, ...parts }),
    (error: unknown) => error instanceof AsmError && why.test(error.message),
  );

test("a program is assembled, its functions listed in order of place", () => {
  const made = program({
    ...hook,
    maps: [counters],
    items: [
      loadMap(r1, counters),
      loadFunction(r2, "callback"),
      callFunction("helper"),
      exit(),
      label("helper"),
      mov(r0, 0),
      label("not_called"),
      exit(),
      label("callback"),
      lddw(r0, 1),
      exit(),
    ],
  });
  assert.equal(made.functions, [
    { name: "connect4", start: 0 },
    { name: "helper", start: 4 },
    { name: "callback", start: 6 },
  ]);
  assert.is(made.license, "Dual MIT/GPL");
  assert.is(made.expectedAttachType, AttachType.CGROUP_INET4_CONNECT);
  assert.equal(made.maps, [counters]);
  assert.is(made.instructions.length, 8);
});

test("a program type without hooks has no expected attach type", () => {
  const made = program({
    name: "x",
    type: ProgramType.SOCKET_FILTER,
    section: "socket",
    items: [mov(r0, 0), exit()],
    license: "MIT",
  });
  assert.not.ok("expectedAttachType" in made);
  assert.is(made.license, "MIT");
});

test("errors name the missing part", () => {
  refused({ items: [] }, /program connect4: it has no instructions/);
  refused(
    { items: [loadMap(r1, "counters"), exit()] },
    /an instruction refers to map counters, which is not among its maps/,
  );
  refused({ items: [exit()], maps: [counters, counters] }, /map counters is declared twice/);
  refused({ items: [callFunction("sub"), exit(), label("sub")] }, /subprogram sub is empty/);
  refused({ items: [callFunction("sub"), call(1), exit()] }, /label "sub" is not defined/);
});

test.run();
