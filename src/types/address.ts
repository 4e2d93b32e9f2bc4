import { isIPv4, isIPv6 } from "node:net";
import type { ArraySchema } from "./array.ts";
import { be32, scalar } from "./scalar.ts";
import { SchemaError } from "./schema.ts";

/** An IPv4 address: `be32` for a program, `"192.0.2.1"` in user space. */
export const ipv4 = scalar<"be32", string>("be32", {
  name: "ipv4",
  fromNumber: (value) => [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 255n).join("."),
  toNumber(value) {
    if (!isIPv4(value)) throw new SchemaError(`${JSON.stringify(value)} is not an IPv4 address`);
    return value.split(".").reduce((sum, part) => (sum << 8n) | BigInt(part), 0n);
  },
});

/** The schema of an IPv6 address, which is more than an array of its words. */
export interface Ipv6Schema extends ArraySchema<typeof be32, string> {
  readonly presentation: "ipv6";
}

/**
 * An IPv6 address: four `be32` words for a program, as in `struct in6_addr`;
 * `"2001:db8::1"` (RFC 5952) in user space.
 */
export const ipv6: Ipv6Schema = {
  kind: "array",
  presentation: "ipv6",
  element: be32,
  length: 4,
  size: 16,
  align: 4,
  read(view, offset) {
    return formatIpv6(Array.from({ length: 8 }, (_, i) => view.getUint16(offset + 2 * i)));
  },
  write(view, offset, value) {
    parseIpv6(value).forEach((group, i) => view.setUint16(offset + 2 * i, group));
  },
  toString: () => "ipv6",
};

function parseIpv6(text: string): number[] {
  if (!isIPv6(text) || text.includes("%")) throw new SchemaError(`${JSON.stringify(text)} is not an IPv6 address`);
  // A tail in dotted form stands for the last two groups.
  const plain = text.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, a, b, c, d) =>
    [(Number(a) << 8) | Number(b), (Number(c) << 8) | Number(d)].map((group) => group.toString(16)).join(":"));
  const [head = "", tail] = plain.split("::");
  const groups = (part: string) => (part === "" ? [] : part.split(":").map((group) => parseInt(group, 16)));
  const first = groups(head);
  if (tail === undefined) return first;
  const last = groups(tail);
  return [...first, ...new Array<number>(8 - first.length - last.length).fill(0), ...last];
}

function formatIpv6(groups: readonly number[]): string {
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) {
    return `::ffff:${groups[6]! >> 8}.${groups[6]! & 255}.${groups[7]! >> 8}.${groups[7]! & 255}`;
  }
  // RFC 5952, section 4.2: the longest run of two or more zero groups, the first of equals, becomes "::".
  let best = { start: -1, length: 1 };
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (groups[start + length] === 0) length++;
    if (length > best.length) best = { start, length };
  }
  const hex = groups.map((group) => group.toString(16));
  if (best.start < 0) return hex.join(":");
  return `${hex.slice(0, best.start).join(":")}::${hex.slice(best.start + best.length).join(":")}`;
}
