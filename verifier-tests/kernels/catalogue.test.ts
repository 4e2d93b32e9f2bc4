import { suite } from "uvu";
import * as assert from "uvu/assert";
import { UsageError } from "../../src/cli/errors.ts";
import { availableKernels, chooseKernels, type KernelChoice } from "./catalogue.ts";
import { compareReleases, isAtLeast, majorMinor } from "../release.ts";

const test = suite("kernel catalogue");

const names = [
  "linux-image-6.12.9+deb13-amd64",
  "linux-image-6.12.117+deb13-amd64",
  "linux-image-6.12.117+deb13-rt-amd64",
  "linux-image-6.12.117+deb13-cloud-amd64",
  "linux-image-5.10.0-30-amd64",
  "linux-image-5.10.0-32-amd64",
  "linux-image-5.10.0-32-amd64-dbg",
  "linux-image-5.10.0-32-amd64-unsigned",
  "linux-image-7.1.13+deb13-amd64",
  "linux-binary-7.1.13+deb13-amd64",
  "linux-image-7.3.4+deb13-amd64",
  "linux-binary-7.3.4+deb13-amd64",
  "linux-modules-7.3.4+deb13-amd64",
  "linux-base-7.3.4+deb13-amd64",
];
const available = availableKernels(names);

test("the newest kernel of each version, ordinary kernels only, oldest first", () => {
  assert.equal(
    available.map(({ release }) => release),
    ["5.10.0-32-amd64", "6.12.117+deb13-amd64", "7.3.4+deb13-amd64"],
  );
});

test("a split kernel needs all of its packages", () => {
  assert.equal(available.at(-1)!.packages, [
    "linux-binary-7.3.4+deb13-amd64",
    "linux-modules-7.3.4+deb13-amd64",
    "linux-base-7.3.4+deb13-amd64",
  ]);
  assert.equal(available.at(0)!.packages, ["linux-image-5.10.0-32-amd64"]);
});

const chosen = (text: string): string[] =>
  chooseKernels(text, available).map((choice: KernelChoice) =>
    choice.kind === "image" ? choice.path : choice.kernel.release,
  );

test("versions, words and paths select kernels, without duplicates", () => {
  assert.equal(chosen("6.12"), ["6.12.117+deb13-amd64"]);
  assert.equal(chosen("newest,oldest,7.3"), ["7.3.4+deb13-amd64", "5.10.0-32-amd64"]);
  assert.equal(
    chosen("all"),
    available.map(({ release }) => release),
  );
  assert.equal(chosen("5.10.0-32-amd64, /boot/vmlinuz"), ["5.10.0-32-amd64", "/boot/vmlinuz"]);
});

test("an unavailable kernel is a usage error that lists the available ones", () => {
  for (const text of ["6.13", "7.1", "latest", ""]) {
    assert.throws(
      () => chooseKernels(text, available),
      (error: unknown) => error instanceof UsageError && /5\.10, 6\.12, 7\.3/.test(error.hint ?? ""),
      text,
    );
  }
});

test("releases compare by their numbers", () => {
  assert.ok(compareReleases("6.12.9+deb13", "6.12.117+deb13") < 0);
  assert.ok(compareReleases("5.10.0-32", "5.10.0-30") > 0);
  assert.is(compareReleases("6.12", "6.12.0"), 0);
  assert.is(majorMinor("6.18.44-fc-v657"), "6.18");
  assert.ok(
    isAtLeast("6.12.0", "6.12") &&
      isAtLeast("6.12", "6.9") &&
      isAtLeast("7.0", "6.19") &&
      !isAtLeast("5.10.223", "5.18"),
  );
  assert.throws(() => majorMinor("next"), RangeError);
});

test.run();
