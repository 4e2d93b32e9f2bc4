import { mkdtempSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { openDirectory } from "./cgroup.ts";
import { tryLock } from "./lock.ts";

const test = suite("lock");

if (process.platform !== "linux") {
  console.log("skipped: the lock is a Linux system call");
} else {
  test("one descriptor at a time holds the lock, until it is closed", () => {
    const directory = mkdtempSync(join(tmpdir(), "tsbpf-lock-"));
    const [first, second] = [openDirectory(directory), openDirectory(directory)];
    try {
      assert.is(tryLock(first), true);
      assert.is(tryLock(second), false);
      first.close();
      assert.is(tryLock(second), true);
    } finally {
      first.close();
      second.close();
      rmdirSync(directory);
    }
  });
}

test.run();
