import { existsSync, readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { helperName, helperNames, helperNumber } from "./helpers.ts";

const test = suite("asm/helpers");
const HEADER = "/usr/include/linux/bpf.h";

test("names and numbers agree both ways", () => {
  assert.is(helperNumber("bpf_map_lookup_elem"), 1);
  assert.is(helperNumber("bpf_get_socket_cookie"), 46);
  assert.is(helperNumber("bpf_sk_storage_get"), 107);
  assert.is(helperName(211), "bpf_cgrp_storage_delete");
  assert.is(helperNames.length, 211);
  assert.is(new Set(helperNames).size, 211);
  assert.is(helperName(0), undefined);
  assert.is(helperName(212), undefined);
  assert.is(helperNumber("map_lookup_elem"), undefined);
});

test("the kernel's header has the same, as far as it goes", () => {
  if (!existsSync(HEADER)) {
    process.stderr.write(`SKIPPED: ${HEADER} is not installed\n`);
    return;
  }
  const text = readFileSync(HEADER, "utf8");
  const list = text.slice(text.indexOf("__BPF_FUNC_MAPPER(FN)"), text.indexOf("#define __BPF_ENUM_FN"));
  const names = [...list.matchAll(/\bFN\((\w+)(?:, \d+, ##ctx)?\)/g)]
    .map((match) => `bpf_${match[1]}`)
    .filter((name) => name !== "bpf_unspec");
  assert.ok(names.length >= 150, `only ${names.length} helpers found in ${HEADER}`);
  assert.equal(helperNames.slice(0, names.length), names);
});

test.run();
