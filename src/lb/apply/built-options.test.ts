import { suite } from "uvu";
import * as assert from "uvu/assert";
import { defaultOptions } from "../../../programs/index.ts";
import { builds } from "../../../programs/testing/builds.ts";
import { optionsFrom, optionsText } from "./built-options.ts";
import { MAX_OPTIONS_BYTES } from "./maps.ts";

const test = suite("the options of programs, as text");

test("every build's options are read as written, and fit", () => {
  for (const options of [
    ...Object.values(builds),
    { ...builds.full, hostNetnsCookie: 2n ** 64n - 1n, noBackendErrno: 111, optOutCgroupLevels: [1, 2, 3, 31] },
  ]) {
    const text = optionsText(options);
    assert.equal(optionsFrom(text), options);
    assert.ok(Buffer.byteLength(text) <= MAX_OPTIONS_BYTES / 2, "with room for more options");
  }
});

test("takes the known options of another version", () => {
  assert.equal(optionsFrom('{"ipv6":true,"teleport":true}'), { ...defaultOptions, ipv6: true });
});

test("refuses text that is not JSON", () => {
  assert.throws(() => optionsFrom(""), SyntaxError);
});

test.run();
