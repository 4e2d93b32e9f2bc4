import { existsSync, readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { helperFacts, helperName, helperNames, helperNumber, type HelperName } from "./index.ts";
import { readPrototypes } from "./prototypes.ts";

const test = suite("asm/helpers");
const HEADER = "/usr/include/linux/bpf.h";

test("names and numbers are inverse", () => {
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

test("a helper's number is its position in the table", () => {
  assert.equal(
    helperNames.map((name) => helperFacts(name).number),
    helperNames.map((_, index) => index + 1),
  );
});

test("facts match the documented prototypes", () => {
  assert.equal(helperFacts("bpf_sk_storage_get"), {
    number: 107,
    since: "5.2",
    arguments: ["map", "memory", "memory", "u64"],
    returns: "memory",
  });
  assert.equal(helperFacts("bpf_get_netns_cookie").arguments, ["context"]);
  assert.is(helperFacts("bpf_set_retval").since, "5.18");
  assert.is(helperFacts("bpf_get_prandom_u32").returns, "u32");
});

test("the table agrees with the installed header as far as the header goes", () => {
  if (!existsSync(HEADER)) {
    process.stderr.write(`SKIPPED: ${HEADER} is not installed\n`);
    return;
  }
  const documented = readPrototypes(readFileSync(HEADER, "utf8"));
  assert.ok(documented.size >= 150, `only ${documented.size} helpers found in ${HEADER}`);
  assert.equal([...documented.keys()], helperNames.slice(0, documented.size));
  for (const [name, facts] of documented) {
    const own = helperFacts(name as HelperName);
    // Later releases document some sizes as wider.
    const widened = facts.arguments.map((kind, i) => (kind === "u32" && own.arguments[i] === "u64" ? "u64" : kind));
    assert.equal(own, { ...facts, arguments: widened }, name);
  }
});

test.run();
