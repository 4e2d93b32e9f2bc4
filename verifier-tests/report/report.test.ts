import { suite } from "uvu";
import * as assert from "uvu/assert";
import { readStatistics } from "../suite/statistics.ts";
import { formatJunit } from "./junit.ts";
import { formatMatrix } from "./matrix.ts";
import { isClean, type CaseResult, type KernelResult } from "./result.ts";
import { compareStatistics, snapshotOf } from "./snapshot.ts";

const test = suite("reports");

const plain = (text: string): string => text.replace(/\u001b\[\d+m/g, "");
const result = (name: string, status: CaseResult["status"], detail?: string): CaseResult => ({
  name,
  status,
  ...(detail !== undefined && { detail }),
  milliseconds: 5,
});
const old: KernelResult = {
  release: "5.10.0-32-amd64",
  seconds: 40.4,
  results: [result("a/one", "pass"), result("a/two", "unsupported", "x needs Linux 5.18")],
};
const fresh: KernelResult = {
  release: "7.3.4+deb13-amd64",
  seconds: 50,
  results: [result("a/one", "refused", "no"), result("a/two", "surprise", '<bad> & "worse"')],
};
const broken: KernelResult = {
  release: "6.1.0",
  seconds: 3,
  results: [],
  failure: "the guest ended before its suite did",
  console: ["Kernel panic"],
};

test("the matrix: a row per case, a column per kernel, then details", () => {
  const lines = plain(formatMatrix([old, fresh, broken])).split("\n");
  assert.equal(lines.slice(0, 3), [
    "       5.10.0    7.3.4     6.1.0",
    "a/one  pass      refused   -",
    "a/two  unsupp.   SURPRISE  -",
  ]);
  const text = lines.join("\n");
  for (const part of [
    "5.10.0: x needs Linux 5.18",
    "7.3.4  a/two\n    <bad>",
    "6.1.0: the guest ended before its suite did\nend of its console:\n  Kernel panic",
    "ok    5.10.0-32-amd64: 1 pass, 0 refused as expected, 1 unsupported, 0 surprises, 40 s",
    "FAILED 7.3.4+deb13-amd64: 0 pass, 1 refused",
  ])
    assert.ok(text.includes(part), part);
});

test("a kernel is clean without surprises and failures, and with results", () => {
  assert.equal([old, fresh, broken, { ...old, results: [] }, { ...old, failure: "hung" }].map(isClean), [
    true,
    false,
    false,
    false,
    false,
  ]);
});

test("JUnit: failures, skipped with reason, errors; escaped", () => {
  const text = formatJunit([old, fresh, broken]);
  for (const part of [
    '<testsuite name="7.3.4+deb13-amd64" tests="2" failures="1" errors="0" skipped="0" time="50.000">',
    '<testcase classname="a" name="two" time="0.005">' +
      '<failure message="&lt;bad&gt; &amp; &quot;worse&quot;"/></testcase>',
    '<testcase classname="a" name="two" time="0.005"><skipped message="x needs Linux 5.18"/></testcase>',
    '<error message="the guest ended before its suite did">Kernel panic</error>',
    '<testsuite name="6.1.0" tests="1" failures="0" errors="1"',
  ])
    assert.ok(text.includes(part), part);
});

test("reads statistics from old and new logs", () => {
  const log =
    "verification time 95 usec\nstack depth 16+0+8\nprocessed 122 insns (limit 1000000) max_states_per_insn 1 " +
    "total_states 9 peak_states 8 mark_read 3\n";
  assert.equal(readStatistics(log), { instructions: 122, states: 9, peakStates: 8, stackDepth: [16, 0, 8] });
  const newer =
    "verification time 23778 usec\nstack depth max 48\nsubprog 0 (<unknown>) main insns_self 4 insns_total 7 " +
    "stack 8\n" +
    "subprog 1 (<unknown>) static insns_self 3 insns_total 3 stack 32\nprocessed 7 insns (limit 1000000) " +
    "max_states_per_insn 0 total_states 2 peak_states 1 mark_read 0\n";
  assert.equal(readStatistics(newer), { instructions: 7, states: 2, peakStates: 1, stackDepth: [8, 32] });
  assert.is(readStatistics("R0 !read_ok\n"), undefined);
});

const measured = (instructions: number): KernelResult => ({
  ...old,
  results: [
    { ...result("programs/a", "pass"), statistics: { instructions, states: 1, peakStates: 1, stackDepth: [8] } },
  ],
});

test("only a rise beyond the tolerance is a surprise", () => {
  const recorded = snapshotOf(measured(1000));
  assert.equal(
    [900, 1050, 1051].map((n) => compareStatistics(measured(n), recorded).results[0]!.status),
    ["pass", "pass", "surprise"],
  );
  assert.is(compareStatistics(measured(5000), undefined).results[0]!.status, "pass");
  assert.match(
    compareStatistics(measured(1100), recorded).results[0]!.detail!,
    /1100 instructions, 10 % more than the 1000 recorded/,
  );
});

test("a snapshot omits details that differ between runs", () => {
  const refusal = {
    ...result("a/one", "refused", "link (descriptor 31): BPF_LINK_UPDATE failed with EPERM"),
    milliseconds: 7,
  };
  assert.equal(snapshotOf({ ...old, results: [refusal, old.results[1]!] }), {
    release: "5.10.0",
    cases: {
      "a/one": { status: "refused", detail: "link: BPF_LINK_UPDATE failed with EPERM" },
      "a/two": { status: "unsupported", detail: "x needs Linux 5.18" },
    },
  });
});

test.run();
