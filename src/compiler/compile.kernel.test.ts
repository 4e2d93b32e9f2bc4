/** Random programs in the kernel; `npm run fuzz:compiler` makes many more. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { checkRandomPrograms } from "./testing/check-random-programs.ts";

const test = suite("compiler: random programs in the kernel");

if (process.platform !== "linux" || process.getuid?.() !== 0) {
  console.log("compiler: random programs skipped: they need Linux and root");
} else {
  test("optimised and unoptimised programs give the interpreter's results", () => {
    const seed = Number(process.env["TSBPF_SEED"] ?? Date.now() & 0x7fffffff);
    try {
      const { plain, optimised } = checkRandomPrograms(200, seed);
      assert.ok(optimised < plain, `optimisation shortens programs: ${optimised} instructions, ${plain} without`);
    } catch (error) {
      const { cause } = error as Error;
      throw new Error(`seed ${seed} (TSBPF_SEED): ${String(error)}\n${cause instanceof Error ? cause.message : ""}`);
    }
  });
}

test.run();
