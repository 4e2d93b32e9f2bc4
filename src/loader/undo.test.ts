import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Undo } from "./undo.ts";

const test = suite("loader: all or nothing");

test("what succeeded stays, and what was held meanwhile is let go", () => {
  const log: string[] = [];
  const result = Undo.run((undo) => {
    undo.add(() => log.push("taken back"));
    undo.afterwards(() => log.push("let go"));
    return 7;
  });
  assert.is(result, 7);
  assert.equal(log, ["let go"]);
});

test("a failure takes back the last step first, then lets go, and is what is thrown", () => {
  const log: string[] = [];
  const failure = new Error("third step");
  assert.throws(
    () =>
      Undo.run((undo) => {
        undo.afterwards(() => log.push("let go"));
        undo.add(() => log.push("first"));
        undo.add(() => log.push("second"));
        throw failure;
      }),
    (error: unknown) => error === failure,
  );
  assert.equal(log, ["second", "first", "let go"]);
});

test("a step that cannot be taken back does not keep the others from it, and both errors are told", () => {
  const log: string[] = [];
  assert.throws(
    () =>
      Undo.run((undo) => {
        undo.add(() => log.push("first"));
        undo.add(() => {
          throw new Error("stuck");
        });
        throw new Error("third step");
      }),
    (error: unknown) =>
      error instanceof AggregateError &&
      /third step; and taking back what was done failed: stuck/.test(error.message) &&
      error.errors.length === 2,
  );
  assert.equal(log, ["first"]);
});

test.run();
