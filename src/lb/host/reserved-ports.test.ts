import { suite } from "uvu";
import * as assert from "uvu/assert";
import { parsePorts, portsText } from "./reserved-ports.ts";

const test = suite("reserved ports");

for (const [text, ports] of [
  ["", []],
  ["8053", [8053]],
  ["8053,30000-30002", [8053, 30000, 30001, 30002]],
  ["1-2,65534-65535", [1, 2, 65534, 65535]],
] as const) {
  test(`reads and writes ${JSON.stringify(text)}`, () => {
    assert.equal([...parsePorts(`${text}\n`)], ports);
    assert.is(portsText(ports.toReversed()), text);
  });
}

test.run();
