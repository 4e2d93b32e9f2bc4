import { isIPv6 } from "node:net";
import type { ArraySchema } from "./array.ts";
import { be32, scalar, type ScalarType } from "./scalar.ts";
import { SchemaError, type Schema } from "./schema.ts";

/**
 * The schema of an IP address whose family is chosen at build time: `ipv4` or
 * `ipv6`. Programs see fields of it as `IpAddress`, user space as text. So one
 * declaration makes the maps of both families, and one function serves them.
 *
 * @example
 * ```ts
 * import { be16, hash, ipv4, ipv6, struct, u32, type IpAddressSchema } from "tsbpf";
 *
 * const countersOf = (name: string, address: IpAddressSchema) =>
 *   hash(name, { key: struct(`${name}_key`, { address, port: be16 }), value: u32, maxEntries: 1024 });
 *
 * export const counters = { ipv4: countersOf("counters4", ipv4), ipv6: countersOf("counters6", ipv6) };
 * ```
 */
export interface IpAddressSchema extends Schema<string> {
  readonly kind: "scalar" | "array";
  readonly presentation: "ipv4" | "ipv6";
}

/** The schema of an IPv4 address, and the function that makes a constant of its text. */
export interface Ipv4Schema extends ScalarType<"be32", string> {
  readonly presentation: "ipv4";
}

const dotted = scalar<"be32", string>("be32", {
  name: "ipv4",
  fromNumber: (value) => `${value >>> 24}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}`,
  toNumber: parseIpv4,
});

/** An IPv4 address: `be32` for a program, `"192.0.2.1"` in user space. */
export const ipv4: Ipv4Schema = Object.freeze(
  Object.assign((text: string) => dotted(text), dotted, { presentation: "ipv4" as const }),
);

/** Parses by hand, in a tenth of the time of `isIPv4` and `split`: large maps have many such keys. */
function parseIpv4(text: string): number {
  const refuse = (): never => {
    throw new SchemaError(`${JSON.stringify(text)} is not an IPv4 address`);
  };
  if (typeof text !== "string") refuse();
  let address = 0;
  let part = 0;
  let digits = 0;
  let parts = 1;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === DOT) {
      if (digits === 0 || ++parts > 4) refuse();
      address = address * 256 + part;
      part = 0;
      digits = 0;
      continue;
    }
    // A leading zero would mean octal to some readers.
    if (code < ZERO || code > ZERO + 9 || (digits > 0 && part === 0)) refuse();
    part = part * 10 + code - ZERO;
    digits++;
    if (part > 255) refuse();
  }
  if (parts !== 4 || digits === 0) refuse();
  return address * 256 + part;
}

/** The IPv4 address of an IPv4-mapped one (RFC 4291, section 2.5.5.2) in text; other addresses are unchanged. */
export function withoutMapping(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/, "");
}

const DOT = ".".charCodeAt(0);
const ZERO = "0".charCodeAt(0);

/** The schema of an IPv6 address. */
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
    [(Number(a) << 8) | Number(b), (Number(c) << 8) | Number(d)].map((group) => group.toString(16)).join(":"),
  );
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
