// Every door but the balancer's; a program built, simulated and written to an object file, without the kernel.
import assert from "node:assert/strict";
import { array, cgroup, PROCEED, u64 } from "tsbpf";
import * as asm from "tsbpf/asm";
import * as btf from "tsbpf/btf";
import * as elf from "tsbpf/elf";
import * as kernel from "tsbpf/kernel";
import * as sim from "tsbpf/sim";

const connects = array("connects", { value: u64, maxEntries: 1 });
const count = cgroup.connect4("count", (b) => {
  b.lookup(connects, 0).ifFound((counter) => counter.value.atomicAdd(1));
  return PROCEED;
});

const program = count.compile();
assert.ok(asm.formatListing(program.instructions).includes("exit"));
const world = new sim.World();
assert.equal(world.run(count, { ctx: { userIp4: "192.0.2.1" } }).returned, PROCEED);
assert.equal(elf.readObject(elf.writeObject([program])).programs[0].name, "count");
assert.equal(typeof btf.programBtf, "function");
assert.equal(typeof kernel.cgroupRoot, "function");
console.log("doors: ok");
