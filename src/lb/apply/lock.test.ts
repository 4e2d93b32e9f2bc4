import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { openDirectory, tryLock, type Fd } from "../../kernel/index.ts";
import { exclusively } from "./lock.ts";

const test = suite("lock of a directory");

const later = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function withDirectory(work: (directory: string) => Promise<void>): Promise<void> {
  const parent = mkdtempSync(join(tmpdir(), "tsbpf-lock-"));
  try {
    const directory = join(parent, "pins");
    mkdirSync(directory);
    await work(directory);
  } finally {
    rmSync(parent, { recursive: true });
  }
}

function lock(directory: string): Fd {
  const fd = openDirectory(directory);
  assert.ok(tryLock(fd));
  return fd;
}

if (process.platform !== "linux") {
  console.log("skipped: the lock is a Linux system call");
} else {
  test("waits for another command, and excludes the next one", () =>
    withDirectory(async (directory) => {
      const other = lock(directory);
      let ran = false;
      const waiting = exclusively(
        () => directory,
        () => {
          ran = true;
          const third = openDirectory(directory);
          const locked = tryLock(third);
          third.close();
          return locked;
        },
      );
      await later(60);
      assert.is(ran, false);
      other.close();
      assert.is(await waiting, false);
      lock(directory).close();
    }));

  test("looks for the directory again if it was removed meanwhile", () =>
    withDirectory(async (directory) => {
      const other = lock(directory);
      const waiting = exclusively(
        () => {
          mkdirSync(directory, { recursive: true });
          return directory;
        },
        () => {
          const fresh = openDirectory(directory);
          const locked = tryLock(fresh);
          fresh.close();
          return locked;
        },
      );
      await later(30);
      rmSync(directory, { recursive: true });
      other.close();
      assert.is(await waiting, false, "the lock is on the current directory");
    }));

  test("runs at once without a directory", async () => {
    assert.is(
      await exclusively(
        () => undefined,
        (directory) => directory,
      ),
      undefined,
    );
  });
}

test.run();
