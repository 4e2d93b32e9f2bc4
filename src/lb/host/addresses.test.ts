import { suite } from "uvu";
import * as assert from "uvu/assert";
import { hostAddresses } from "./addresses.ts";

const test = suite("addresses of the host");

test("include loopback, once each, and no link-local ones", () => {
  const addresses = hostAddresses();
  assert.ok(addresses.includes("127.0.0.1") && addresses.includes("::1"));
  assert.is(new Set(addresses).size, addresses.length);
  assert.not(addresses.some((address) => address.startsWith("fe80:")));
});

test.run();
