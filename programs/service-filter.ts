/**
 * The filter before the services map: a bit for each service's address and
 * port, so that a destination that is no service costs one read of 8 KB, and no
 * search in a hash map of megabytes. A bit that is not set says that there is
 * no service; one that is set says that there may be one.
 *
 * The upper part of the address, of IPv4 16 bits and of IPv6 64, names one of
 * 128 groups of eight words: a cache line or two, so that destinations in a few
 * networks find theirs in the processor's cache, however many services there
 * are in others. The place in the group depends on all of the address but its
 * last byte, since services lie next to each other, and on the port.
 *
 * This is the hash in user space; `SocketAddress.filterPlace` is the programs'.
 */
import { encodeValue, ipv4, ipv6 } from "tsbpf";

/** Words of 64 bits. */
export const FILTER_WORDS = 1024;

/** A word of the filter and, in its lower six bits, the number of a bit there. */
export interface FilterPlace<Word, Bit> {
  readonly word: Word;
  readonly bit: Bit;
}

/**
 * 2^64 and 2^32 divided by the golden ratio, made odd (Knuth, The Art of
 * Computer Programming, volume 3, section 6.4): the upper bits of a product
 * depend on every bit of the other factor.
 */
export const FILTER_FACTOR = 0x9e37_79b9_7f4a_7c15n;
export const FILTER_FACTOR_32 = 0x9e37_79b1;

/** How far the port is shifted up beside the bytes of an IPv4 address, and into those of an IPv6 one. */
export const FILTER_PORT_SHIFT = { ipv4: 24, ipv6: 48 } as const;

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
