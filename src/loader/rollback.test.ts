import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Rollback } from "./rollback.ts";

const test = suite("loader: rollback");

test("on success the steps stay, and the closers run", () => {
  const log: string[] = [];
  const result = Rollback.run((rollback) => {
    rollback.onFailure(() => log.push("undone"));
    rollback.finally(() => log.push("closed"));
    return 7;
  });
  assert.is(result, 7);
  assert.equal(log, ["closed"]);
});

test("a failure undoes the last step first, then runs the closers, and is rethrown", () => {
  const log: string[] = [];
  const failure = new Error("third step");
  assert.throws(
    () =>
      Rollback.run((rollback) => {
        rollback.finally(() => log.push("closed"));
        rollback.onFailure(() => log.push("first"));
        rollback.onFailure(() => log.push("second"));
        throw failure;
      }),
    (error: unknown) => error === failure,
  );
  assert.equal(log, ["second", "first", "closed"]);
});

test("if undoing a step fails, the other steps are still undone, and both errors are reported", () => {
  const log: string[] = [];
  assert.throws(
    () =>
      Rollback.run((rollback) => {
        rollback.onFailure(() => log.push("first"));
        rollback.onFailure(() => {
          throw new Error("stuck");
        });
        throw new Error("third step");
      }),
    (error: unknown) =>
      error instanceof AggregateError &&
      /third step; and undoing earlier steps failed: stuck/.test(error.message) &&
      error.errors.length === 2,
  );
  assert.equal(log, ["first"]);
});

test.run();
