import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmdirSync,
  symlinkSync,
  unlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { isOnFileSystem, linux, mountBpfFileSystem, mounts, unmount } from "../kernel/index.ts";
import { kernelSuite, withBpfFileSystem } from "../testing/index.ts";
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

/** The error of opening and of creating a pin directory, which is the same. */
function refusal(directory: string): LoaderError {
  const errors = [PinDirectory.create, PinDirectory.open].map((open) => {
    try {
      open(directory, OWNER);
    } catch (error) {
      return error as LoaderError;
    }
    throw new Error(`${directory} was taken`);
  });
  assert.instance(errors[0], LoaderError);
  assert.equal([errors[1]!.message, errors[1]!.hint], [errors[0]!.message, errors[0]!.hint]);
  return errors[0]!;
}

const OTHER_USER = 12_345;

test("a pin directory that other users can change is refused, with the repair", () =>
  withBpfFileSystem((mount) => {
    const above = join(mount, "above");
    const pins = join(above, "pins");
    const prepare = () => {
      mkdirSync(pins, { recursive: true, mode: 0o700 });
      for (const kind of ["maps", "programs", "links"]) mkdirSync(join(pins, kind), { mode: 0o700 });
      symlinkSync(OWNER, join(pins, "owner"));
    };
    prepare();
    assert.ok(PinDirectory.open(pins, OWNER), "it is right before");
    const parts = [mount, above, pins, join(pins, "maps"), join(pins, "programs"), join(pins, "links")];
    for (const part of parts) {
      const { mode } = lstatSync(part);
      for (const [changed, isSafeAbove] of [
        [0o777, false],
        [0o720, false],
        [0o702, false],
        [0o1777, true],
        [0o1770, true],
        [0o755, true],
      ] as const) {
        chmodSync(part, changed);
        const isPins = part.startsWith(pins);
        if (changed === 0o755 || (isSafeAbove && !isPins))
          assert.ok(PinDirectory.open(pins, OWNER), `${part} ${changed}`);
        else {
          const { message, hint } = refusal(pins);
          const text = changed.toString(8).padStart(4, "0");
          assert.is(message, `cannot use pin directory ${pins}: other users can write to ${part} (mode ${text})`);
          assert.match(
            hint!,
            `chmod ${isPins ? "0700" : "go-w"} ${part}, or choose a directory that only root can write to`,
          );
        }
      }
      chmodSync(part, mode & 0o7777);
      chownSync(part, OTHER_USER, 0);
      const { message } = refusal(pins);
      assert.is(
        message,
        `cannot use pin directory ${pins}: ${part} belongs to user ${OTHER_USER}, who could replace what is pinned`,
      );
      chownSync(part, 0, 0);
    }
    assert.ok(PinDirectory.open(pins, OWNER), "it is right again");
    assert.equal(readdirSync(join(pins, "maps")), []);
  }));

test("in a mount that everybody may write to, nobody else's directory or link is taken for ours", () =>
  withBpfFileSystem((mount) => {
    chmodSync(mount, 0o1777);
    const pins = PinDirectory.create(join(mount, "ours"), OWNER);
    assert.is(lstatSync(pins.directory).mode & 0o777, 0o700);
    pins.removeIfEmpty();
    mkdirSync(join(mount, "theirs"));
    chownSync(join(mount, "theirs"), OTHER_USER, 0);
    assert.match(refusal(join(mount, "theirs")).message, `belongs to user ${OTHER_USER}`);
    assert.throws(() => PinDirectory.create(join(mount, "theirs/below"), OWNER), /belongs to user/);
    assert.equal(readdirSync(join(mount, "theirs")), []);
    symlinkSync("theirs", join(mount, "link"));
    assert.match(refusal(join(mount, "link")).message, "link is not a directory");
    assert.throws(() => PinDirectory.create(join(mount, "link/below"), OWNER), /link is not a directory/);
    mkdirSync(join(mount, "theirs/below"));
    assert.match(refusal(join(mount, "link/below")).message, `theirs belongs to user ${OTHER_USER}`);
    chmodSync(mount, 0o777);
    assert.throws(() => PinDirectory.create(join(mount, "ours"), OWNER), /other users can write to/);
    assert.not(existsSync(join(mount, "ours")));
    chmodSync(mount, 0o1777);
    unlinkSync(join(mount, "link"));
  }));

test("a name with a dot, and a file in the way, are refused in words", () =>
  withBpfFileSystem((mount) => {
    assert.throws(
      () => PinDirectory.create(join(mount, "a.b/pins"), OWNER),
      (error: LoaderError) =>
        error.message === `cannot make pin directory ${mount}/a.b/pins: a BPF file system takes no name with a dot` &&
        error.hint === "write a-b instead of a.b",
    );
    mkdirSync(join(mount, "pins"), { mode: 0o700 });
    symlinkSync(OWNER, join(mount, "pins/owner"));
    symlinkSync("nowhere", join(mount, "pins/maps"));
    assert.throws(
      () => PinDirectory.create(join(mount, "pins"), OWNER),
      (error: LoaderError) => error instanceof LoaderError && /^cannot make pin directory .*pins: /.test(error.message),
    );
  }));

test("what something else has put among the pins stays, and is told", () =>
  withBpfFileSystem((mount) => {
    const pins = PinDirectory.create(join(mount, "pins"), OWNER);
    using collection = load([], { maps: [map] });
    const { fd } = collection.maps.get(map.name)!;
    linux.pinObject(fd, join(pins.directory, "maps/foreign"));
    mkdirSync(join(pins.directory, "maps/folder"));
    pins.pin("maps", map.name, fd);
    pins.replace("maps", "other", fd);
    linux.pinObject(fd, join(pins.directory, "maps/~other"));
    const foreign = ["folder", "foreign"].map((name) => join(pins.directory, "maps", name));
    assert.equal([pins.names("maps"), pins.foreign()], [["dotted_name", "other"], foreign]);
    pins.removeTemporary();
    assert.equal(readdirSync(join(pins.directory, "maps")).sort(), ["dotted_name", "folder", "foreign", "other"]);
    assert.throws(() => pins.openPinnedMap("folder"), /maps\/folder as a pin: it is a directory/);
    assert.throws(() => pins.replace("maps", "folder", fd), /maps\/folder as a pin: it is a directory/);
    assert.equal(pins.removeAll().maps, ["dotted_name", "other"]);
    assert.equal(readdirSync(join(pins.directory, "maps")).sort(), ["folder", "foreign"]);
    // What the owner uses is its own from then on, whoever made it.
    pins.claim("maps", ["foreign"]);
    rmdirSync(join(pins.directory, "maps/folder"));
    assert.equal(pins.removeAll().maps, ["foreign"]);
    assert.not(existsSync(pins.directory));
    // A folder of an earlier version, without marks.
    mkdirSync(join(mount, "old/maps"), { recursive: true, mode: 0o700 });
    symlinkSync(OWNER, join(mount, "old/owner"));
    linux.pinObject(fd, join(mount, "old/maps/former"));
    const old = PinDirectory.create(join(mount, "old"), OWNER);
    assert.equal([old.names("maps"), old.foreign()], [["former"], []]);
    old.claim("maps", []);
    linux.pinObject(fd, join(mount, "old/maps/foreign"));
    assert.equal([old.names("maps"), old.foreign()], [["former"], [join(mount, "old/maps/foreign")]]);
  }));

test.run();
