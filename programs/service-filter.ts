/**
 * The filter before the services map: a bit for each service's address and
 * port. A destination that is not a service costs one read of 8 KB in place of
 * a search in a hash map of megabytes. A clear bit rules out a service; a set
 * bit means that there may be one.
 *
 * The upper part of the address (16 bits of IPv4, 64 of IPv6) selects one of
 * 128 groups of eight words, a cache line or two: destinations in a few networks
 * find theirs in the processor's cache, however many services other networks
 * have. The place in the group depends on the port and on all of the address but
 * its last byte, since services lie next to each other.
 *
 * This is the control plane's half; find-service.ts has the programs'.
 */
import { encodeValue, ipv4, ipv6 } from "tsbpf";
import { FILTER_FACTOR, FILTER_FACTOR_32, FILTER_PORT_SHIFT, type FilterPlace } from "./maps.ts";

interface FrontEnd {
  /** IPv4, dotted, or IPv6. */
  readonly address: string;
  /** In host order. */
  readonly port: number;
}

/** Where in the filter of its family a front end is. */
export function filterPlace({ address, port }: FrontEnd): FilterPlace<number, number> {
  const hash = (value: bigint, factor = FILTER_FACTOR): bigint => BigInt.asUintN(64, value * factor);
  if (!address.includes(":")) {
    const number = new DataView(encodeValue(ipv4, address).buffer).getUint32(0);
    const group = Math.imul(number >>> 16, FILTER_FACTOR_32) >>> 25;
    return place(group, hash(BigInt(number >>> 8) | (BigInt(port) << BigInt(FILTER_PORT_SHIFT.ipv4))));
  }
  const halves = new DataView(encodeValue(ipv6, address).buffer);
  const upper = hash(halves.getBigUint64(0));
  return place(
    Number(upper >> 57n),
    hash(upper ^ (halves.getBigUint64(8) >> 8n) ^ (BigInt(port) << BigInt(FILTER_PORT_SHIFT.ipv6))),
  );
}

function place(group: number, hash: bigint): FilterPlace<number, number> {
  return { word: (group << 3) | Number(hash >> 61n), bit: Number(hash >> 55n) & 63 };
}

/** The filter of these front ends, all of one family: its words by number, but for those that are zero. */
export function filterWords(frontEnds: Iterable<FrontEnd>): Map<number, bigint> {
  const words = new Map<number, bigint>();
  for (const frontEnd of frontEnds) {
    const { word, bit } = filterPlace(frontEnd);
    words.set(word, (words.get(word) ?? 0n) | (1n << BigInt(bit)));
  }
  return words;
}
