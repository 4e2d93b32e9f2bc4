import { suite } from "uvu";
import * as assert from "uvu/assert";
import fc from "fast-check";
import { decodeValue, encodeValue, ipv4, ipv6, SchemaError, withoutMapping } from "./index.ts";

const test = suite("addresses");

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

test("an IPv4 address is its four bytes in order", () => {
  assert.is(hex(encodeValue(ipv4, "192.0.2.1")), "c0000201");
  assert.is(decodeValue(ipv4, Uint8Array.of(255, 255, 255, 255)), "255.255.255.255");
});

test("every IPv4 address is read back as it is written", () => {
  fc.assert(
    fc.property(fc.ipV4(), (text) => {
      const bytes = encodeValue(ipv4, text);
      assert.equal([...bytes], text.split(".").map(Number));
      assert.is(decodeValue(ipv4, bytes), text);
    }),
  );
});

for (const text of [
  "",
  "1",
  "1.2.3",
  "1.2.3.4.5",
  "256.0.0.1",
  "01.2.3.4",
  "00.0.0.0",
  "1..2.3",
  ".1.2.3",
  "1.2.3.",
  "1.2.3.4 ",
  "+1.2.3.4",
  "0x1.2.3.4",
  "1.2.3.-4",
  "١.2.3.4",
  "::1",
  "1e2.0.0.1",
]) {
  test(`${JSON.stringify(text)} is not an IPv4 address`, () => {
    assert.throws(
      () => encodeValue(ipv4, text),
      (error: unknown) =>
        error instanceof SchemaError && error.message.includes(`${JSON.stringify(text)} is not an IPv4 address`),
    );
  });
}

for (const [text, bytes, printed = text] of [
  ["::", "00000000000000000000000000000000"],
  ["::1", "00000000000000000000000000000001"],
  ["1::", "00010000000000000000000000000000"],
  ["2001:db8::1", "20010db8000000000000000000000001"],
  ["2001:DB8:0:0:1::1", "20010db8000000000001000000000001", "2001:db8::1:0:0:1"],
  ["1:2:3:4:5:6:7:8", "00010002000300040005000600070008"],
  ["1:0:3:4:5:6:7:8", "00010000000300040005000600070008"],
  ["1::3:4:5:6:7:8", "00010000000300040005000600070008", "1:0:3:4:5:6:7:8"],
  ["0:0:1::", "00000000000100000000000000000000", "0:0:1::"],
  ["::ffff:192.0.2.1", "00000000000000000000ffffc0000201"],
  ["::ffff:c000:201", "00000000000000000000ffffc0000201", "::ffff:192.0.2.1"],
  ["64:ff9b::192.0.2.33", "0064ff9b0000000000000000c0000221", "64:ff9b::c000:221"],
  ["0001:0:0:0:0:0:0:0", "00010000000000000000000000000000", "1::"],
] as const) {
  test(`the IPv6 address ${text} is ${bytes}, and prints as ${printed}`, () => {
    assert.is(hex(encodeValue(ipv6, text)), bytes);
    assert.is(decodeValue(ipv6, Buffer.from(bytes, "hex")), printed);
  });
}

test("every IPv6 address is read back as the same bytes, and its text stays", () => {
  fc.assert(
    fc.property(fc.ipV6(), (text) => {
      const bytes = encodeValue(ipv6, text);
      const printed = decodeValue(ipv6, bytes);
      assert.is(hex(encodeValue(ipv6, printed)), hex(bytes));
      assert.is(decodeValue(ipv6, encodeValue(ipv6, printed)), printed);
    }),
  );
});

test("IPv6 text is the form of RFC 5952, as the platform's URL parser prints it", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), fc.nat(0xffff), (bytes, zeroes) => {
      const address = bytes.map((byte, i) => (((zeroes >> i) & 1) === 1 ? 0 : byte));
      if (hex(address).startsWith("00000000000000000000ffff")) return;
      const text = decodeValue(ipv6, address);
      assert.is(new URL(`http://[${text}]`).hostname, `[${text}]`);
    }),
    { numRuns: 500 },
  );
});

for (const text of [
  "",
  ":",
  ":::",
  "1",
  "1:2:3:4:5:6:7",
  "1:2:3:4:5:6:7:8:9",
  "1::2::3",
  "12345::",
  "g::",
  "::1%eth0",
  "[::1]",
  "::1.2.3",
  "::256.0.0.1",
  "1.2.3.4",
  " ::1",
]) {
  test(`${JSON.stringify(text)} is not an IPv6 address`, () => {
    assert.throws(
      () => encodeValue(ipv6, text),
      (error: unknown) => error instanceof SchemaError && error.message.includes("is not an IPv6 address"),
    );
  });
}

test("withoutMapping takes IPv4 addresses out of their mapped form, and nothing else", () => {
  assert.equal(["::ffff:192.0.2.1", "192.0.2.1", "2001:db8::1", "::ffff:0:0", "::1"].map(withoutMapping), [
    "192.0.2.1",
    "192.0.2.1",
    "2001:db8::1",
    "::ffff:0:0",
    "::1",
  ]);
});

test.run();
