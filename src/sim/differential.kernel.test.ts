/** Runs a few hundred random programs in the simulator and the running kernel; `npm run fuzz:sim` runs 100,000. */
import * as assert from "uvu/assert";
import { kernelSuite } from "../testing/index.ts";
import { compareWithKernel } from "./testing/differential.ts";
import { probeInstructions } from "./testing/instruction-probe.ts";

const test = kernelSuite("simulator against kernel");
const COUNT = 300;

test("random programs return the same result and leave the same packet", () => {
  const seed = Date.now() % 0x4000_0000;
  const { agreed, refused, firstRefusal } = compareWithKernel(seed, COUNT, probeInstructions());
  assert.is(agreed + refused, COUNT);
  assert.is(refused, 0, `seed ${seed}: the kernel refuses a program that it should accept: ${firstRefusal}`);
});

test.run();
