import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Capability, effectiveCapabilities } from "./capabilities.ts";
import { countCpus } from "./cpus.ts";
import { parseMounts } from "./mounts.ts";

const test = suite("kernel: parsing /proc and /sys");

test("mounts, with blanks in their names", () => {
  const text =
    "cgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime 0 0\nbpf /mnt/my\\040pins\\134x bpf rw,mode=700 0 0\n";
  assert.equal(parseMounts(text), [
    { source: "cgroup2", directory: "/sys/fs/cgroup/unified", type: "cgroup2", options: ["rw", "relatime"] },
    { source: "bpf", directory: "/mnt/my pins\\x", type: "bpf", options: ["rw", "mode=700"] },
  ]);
  assert.equal(parseMounts(""), []);
});

test("lists of CPUs", () => {
  assert.is(countCpus("0\n"), 1);
  assert.is(countCpus("0-3\n"), 4);
  assert.is(countCpus("0-3,8,10-11\n"), 7);
});

test("effective capabilities", () => {
  const held = effectiveCapabilities("Name:\tnode\nCapPrm:\t0000000000000000\nCapEff:\t000000c000001000\n");
  const has = (bit: number) => (held >> BigInt(bit)) & 1n;
  assert.is(has(Capability.BPF), 1n);
  assert.is(has(Capability.NET_ADMIN), 1n);
  assert.is(has(Capability.PERFMON), 1n);
  assert.is(has(Capability.SYS_ADMIN), 0n);
  assert.is(effectiveCapabilities(""), 0n);
});

test.run();
