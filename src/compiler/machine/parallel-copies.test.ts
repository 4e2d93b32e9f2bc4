import { suite } from "uvu";
import * as assert from "uvu/assert";
import { inSequence, type Copy } from "./parallel-copies.ts";

const test = suite("compiler: parallel copies");

/** The contents of registers 0 to 7 afterwards, when each held its own number before. */
function after(copies: readonly Copy[]): number[] {
  const registers = [0, 1, 2, 3, 4, 5, 6, 7];
  for (const { dst, src } of copies) registers[dst] = registers[src]!;
  return registers.slice(0, 6);
}

test("a chain is copied from its end", () => {
  assert.equal(
    after(
      inSequence(
        [
          { dst: 1, src: 0 },
          { dst: 2, src: 1 },
          { dst: 3, src: 2 },
        ],
        () => 6,
      ),
    ),
    [0, 0, 1, 2, 4, 5],
  );
});

test("each cycle takes one spare register", () => {
  let spare = 6;
  const copies = inSequence(
    [
      { dst: 0, src: 1 },
      { dst: 1, src: 0 },
      { dst: 2, src: 3 },
      { dst: 3, src: 4 },
      { dst: 4, src: 2 },
      { dst: 5, src: 2 },
    ],
    () => spare++,
  );
  assert.equal(after(copies), [1, 0, 3, 4, 2, 2]);
});

test.run();
