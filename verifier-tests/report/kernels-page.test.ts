import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { features } from "../suite/features.ts";
import { kernelsPage } from "./kernels-page.ts";
import { readSnapshots, type Snapshot } from "./snapshot.ts";

const test = suite("docs/kernels.md");

const snapshots: readonly Snapshot[] = [
  {
    release: "5.10.0-32-amd64",
    cases: {
      "features/bpf_set_retval": { status: "unsupported", detail: "bpf_set_retval needs Linux 5.18" },
      "programs/default: connect4": { status: "unsupported", detail: "bpf_set_retval needs Linux 5.18" },
      "rules/a lookup may be null": { status: "refused", detail: "old words" },
      "context access/connect4: user_ip4": { status: "pass", detail: "read 1, 2, 4; written 4" },
      "return values/bind4": { status: "pass", detail: "0, 1" },
    },
  },
  {
    release: "7.3.4+deb13-amd64",
    cases: {
      "features/bpf_set_retval": { status: "pass" },
      "programs/default: connect4": {
        status: "pass",
        statistics: { instructions: 300, states: 20, peakStates: 19, stackDepth: [64, 8] },
      },
      "rules/a lookup may be null": { status: "refused", detail: "new | words" },
      "context access/connect4: user_ip4": { status: "pass", detail: "read 1, 2, 4; written 4" },
      "return values/bind4": { status: "pass", detail: "0, 1, 2, 3" },
    },
  },
];

test("is generated from the recorded runs", () => {
  const page = kernelsPage(snapshots, new Map([["bpf_set_retval", "5.18"]]));
  for (const line of [
    "| `5.10.0-32-amd64` | 5 | 2 | 1 | 2 |",
    "| bpf_set_retval | 5.18 | – | yes |",
    "| default: connect4 | unsupported | 300 / 20 / 64+8 |",
    "| return values/bind4 | 0, 1 | 0, 1, 2, 3 |",
    "| user_ip4 | 1 2 4 / 4 |",
    "| a lookup may be null | 5.10.0: `old words`<br>7.3.4: `new \\| words` |",
  ])
    assert.ok(page.includes(`${line}\n`), line);
});

test("is up to date", () => {
  const written = readFileSync(new URL("../../docs/kernels.md", import.meta.url), "utf8");
  const page = kernelsPage(readSnapshots(), new Map(features.map(({ name, since }) => [name, since])));
  assert.ok(written === page, "docs/kernels.md differs from what `npm run docs:kernels` writes: run it");
});

test.run();
