import * as assert from "uvu/assert";
import {
  add,
  at,
  call,
  callFunction,
  exit,
  label,
  loadFunction,
  loadMap,
  mov,
  program,
  r0,
  r1,
  r10,
  r2,
  r3,
  r4,
  store,
} from "../../asm/index.ts";
import { linux } from "../../kernel/index.ts";
import { load } from "../../loader/index.ts";
import { kernelSuite } from "../../testing/index.ts";
import { array, AttachType, ProgramType, u64 } from "../../types/index.ts";
import { listProgram } from "./listed-program.ts";
import { programById } from "./loaded.ts";

const test = kernelSuite("cli: a loaded program as assembly");

test("maps, helpers, subprograms and lines of a loaded program are named", () => {
  const numbers = array(`t${process.pid}_numbers`, { value: u64, maxEntries: 1 });
  const source = { file: "/a/program.ts", line: 12, column: 3 };
  const collection = load([
    program({
      name: "asm_test",
      type: ProgramType.CGROUP_SKB,
      expectedAttachType: AttachType.CGROUP_INET_INGRESS,
      section: "cgroup_skb/ingress",
      maps: [numbers],
      items: [
        at(source, loadMap(r1, numbers)),
        loadFunction(r2, "each"),
        mov(r3, 0),
        mov(r4, 0),
        call("bpf_for_each_map_elem"),
        callFunction("last"),
        exit(),
        label("each"),
        mov(r0, 0),
        exit(),
        label("last"),
        store("u64", r10, -8, 0),
        mov(r1, r10),
        add(r1, -8),
        call("bpf_get_prandom_u32"),
        mov(r0, 1),
        exit(),
      ],
    }),
  ]);
  try {
    const { id } = linux.programInfo(collection.programs.get("asm_test")!.fd);
    const text = listProgram(programById(id));
    assert.match(text, new RegExp(`; program ${id} asm_test`));
    assert.match(text, new RegExp(`asm_test:\\n  r1 = map\\[${numbers.name.slice(0, 15)}\\] ll +; program\\.ts:12\\n`));
    assert.match(text, "  r2 = subprog[each] ll\n");
    assert.match(text, "  call last\n");
    // The helper's kernel function has another name; without kallsyms the callee is unknown.
    assert.match(text, /call (kernel-function bpf_user_rnd_u32|unknown#0 +; the kernel does not name the callee)\n/);
    assert.match(text, /last:\n {2}\*\(u64 \*\)\(r10 - 8\) = 0\n/);
  } finally {
    collection.close();
  }
});

test.run();
