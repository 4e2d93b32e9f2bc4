import * as assert from "uvu/assert";
import { existsSync } from "node:fs";
import { toolSuite } from "../testing/index.ts";
import { compareWithLibbpf, LIBBPF_TOOLS } from "./testing/core-libbpf.ts";

const SEED = 1;
const COUNT = 400;

const hasHeaders = existsSync("/usr/include/bpf/libbpf.h");
const test = toolSuite("elf: CO-RE beside libbpf", hasHeaders ? LIBBPF_TOOLS : ["libbpf-dev"], { kernel: true });

test(`${COUNT} random cases give the same instructions or the same refusal`, () => {
  const { relocated, refused, missing, differences } = compareWithLibbpf(COUNT, SEED);
  assert.equal(differences, []);
  assert.ok(relocated > COUNT / 2 && refused > COUNT / 10 && missing > COUNT / 10, "every outcome is there");
});

test.run();
