import { suite } from "uvu";
import * as assert from "uvu/assert";
import { accepted, observed, refused, type Case, type Feature } from "./case.ts";
import { evaluate, type Attempt } from "./evaluate.ts";

const test = suite("judging an outcome");

const feature: Feature = { name: "bpf_set_retval", since: "5.18", attempt: () => ({ kind: "accepted" }) };
const log =
  "0: (79) r2 = *(u64 *)(r1 +8)\ninvalid bpf_context access off=8 size=8\nprocessed 1 insns (limit 1000000)\n";
const refusal: Attempt = { kind: "refused", errno: "EACCES", log };
const judge = (testCase: Pick<Case, "expect" | "needs">, attempt: Attempt, release = "6.12.0", present = true) =>
  evaluate(testCase, attempt, release, present);

test("accepted as expected, with its statistics", () => {
  const statistics = { instructions: 10, states: 1, peakStates: 1, stackDepth: [8] };
  assert.equal(judge({ expect: accepted }, { kind: "accepted", statistics }), { status: "pass", statistics });
  assert.equal(judge({ expect: accepted }, refusal), {
    status: "surprise",
    detail: "refused with EACCES: 0: (79) r2 = *(u64 *)(r1 +8) | invalid bpf_context access off=8 size=8",
  });
});

test("refused for the expected reason, with the kernel's message", () => {
  assert.equal(judge({ expect: refused(/bpf_context access off=8/, "EACCES") }, refusal), {
    status: "refused",
    detail: "invalid bpf_context access off=8 size=8",
  });
});

test("another reason, another error or no refusal is a surprise", () => {
  assert.match(
    judge({ expect: refused(/unknown func/) }, refusal).detail!,
    /but not with \/unknown func\/: .*off=8 size=8/,
  );
  assert.match(judge({ expect: refused(/bpf_context/, "EINVAL") }, refusal).detail!, /EACCES instead of EINVAL/);
  for (const attempt of [{ kind: "accepted" }, { kind: "observed", value: "1" }] as const) {
    assert.is(judge({ expect: refused(/bpf_context/) }, attempt).status, "surprise");
  }
});

test("observed as expected, or not", () => {
  assert.equal(judge({ expect: observed("0, 1") }, { kind: "observed", value: "0, 1" }), {
    status: "pass",
    detail: "0, 1",
  });
  assert.equal(judge({ expect: observed("0, 1") }, { kind: "observed", value: "1" }), {
    status: "surprise",
    detail: "1; and should be: 0, 1",
  });
  assert.is(judge({ expect: observed("0, 1") }, { kind: "accepted" }).status, "surprise");
});

test("a thrown error is always a surprise", () => {
  for (const expect of [accepted, observed("1"), refused(/x/)]) {
    assert.equal(judge({ expect }, { kind: "thrown", message: "no room" }), { status: "surprise", detail: "no room" });
  }
});

test("expectations by version: the newest version not above the kernel's", () => {
  const expect = refused({ "5.10": /old words/, "6.12": /bpf_context/ });
  assert.is(judge({ expect }, refusal, "6.12.1").status, "refused");
  assert.is(judge({ expect }, refusal, "7.3.4").status, "refused");
  assert.is(judge({ expect }, refusal, "6.9.0").status, "surprise");
  assert.throws(() => judge({ expect }, refusal, "5.4.0"), RangeError);
});

test("on a kernel too old for a feature, a failing case is unsupported", () => {
  const testCase = { expect: accepted, needs: feature };
  assert.equal(judge(testCase, refusal, "5.10.0", false), {
    status: "unsupported",
    detail: "bpf_set_retval needs Linux 5.18",
  });
  assert.match(judge(testCase, { kind: "accepted" }, "5.10.0", false).detail!, /yet the case succeeded/);
});

test("a missing feature that the kernel should have is a surprise", () => {
  assert.match(
    judge({ expect: accepted, needs: feature }, refusal, "5.18.0", false).detail!,
    /5\.18\.0 should have bpf_set_retval, which exists since 5\.18, but the probe fails/,
  );
});

test("a feature that an older kernel has is used", () => {
  assert.is(judge({ expect: accepted, needs: feature }, { kind: "accepted" }, "5.10.0", true).status, "pass");
  assert.is(judge({ expect: accepted, needs: feature }, refusal, "5.10.0", true).status, "surprise");
});

test.run();
