import { existsSync, mkdtempSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { isOnFileSystem, mountBpfFileSystem, mounts, unmount } from "../kernel/index.ts";
import { kernelSuite } from "../testing/index.ts";
import { array, u32 } from "../types/index.ts";
import { load, LoaderError, PinDirectory } from "./index.ts";

const test = kernelSuite("loader: pins on a BPF file system");

const OWNER = "tsbpf pin test";
const map = array("dotted.name", { value: u32, maxEntries: 1 });

test("a directory outside a BPF file system is refused; on a mounted one, pins outlive the process", () => {
  const place = mkdtempSync(join(tmpdir(), "tsbpf-bpffs-"));
  const directory = join(place, "pins");
  try {
    assert.throws(
      () => PinDirectory.create(directory, OWNER),
      (error: unknown) => error instanceof LoaderError && /not on a BPF file system/.test(error.message),
    );
    assert.not(existsSync(directory));
    mountBpfFileSystem(place);
    try {
      assert.ok(isOnFileSystem(place, "bpf"));
      assert.ok(mounts().some((mount) => mount.type === "bpf" && mount.directory === place));
      const pins = PinDirectory.create(directory, OWNER);
      const collection = load([], { maps: [map] });
      collection.map(map).set(0, 42);
      pins.pin("maps", map.name, collection.map(map).fd);
      assert.throws(() => pins.pin("maps", map.name, collection.map(map).fd), /EEXIST/);
      collection.close();

      const again = PinDirectory.open(directory, OWNER)!;
      assert.equal(again.names("maps"), ["dotted_name"]);
      const opened = again.map(map);
      assert.is(opened.get(0), 42);
      opened.close();
      again.removeIfEmpty();
      assert.ok(existsSync(directory), "a directory in use stays");
      again.removeAll();
      assert.not(existsSync(directory));
    } finally {
      unmount(place);
    }
  } finally {
    rmdirSync(place);
  }
});

test.run();
