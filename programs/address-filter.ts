/**
 * Filters before the maps: a bit for each address and port. A clear bit rules
 * out that there is something; a set bit means that there may be.
 *
 * The service filter stands before the services map: a destination that is not a
 * service costs one read of 8 KB in place of a search in a hash map of megabytes.
 *
 * The upper part of the address selects a group of eight words, a cache line or
 * two: destinations in a few networks find theirs in the processor's cache,
 * however many other networks have. The place in the group depends on the port
 * and on the address, for services without its last byte.
 *
 * This is the control plane's half; find-service.ts has the programs'.
 */
import { encodeValue, ipv4, ipv6 } from "tsbpf";
import {
  FILTER_FACTOR,
  FILTER_PORT_SHIFT_IPV6,
  serviceFilterShape,
  type FilterPlace,
  type FilterShape,
} from "./maps.ts";

interface Endpoint {
  /** IPv4, dotted, or IPv6. */
  readonly address: string;
  /** In host order. */
  readonly port: number;
}

/** Where in a filter of its family an address and port are: in the service filter unless another is given. */
export function filterPlace(
  { address, port }: Endpoint,
  { groupBits, network, host, factor }: FilterShape = serviceFilterShape,
): FilterPlace<number, number> {
  const hash = (value: bigint): bigint => BigInt.asUintN(64, value * FILTER_FACTOR);
  if (!address.includes(":")) {
    const number = new DataView(encodeValue(ipv4, address).buffer).getUint32(0);
    const group = Math.imul(number >>> network, factor) >>> (32 - groupBits);
    return place(group, hash(BigInt(number >>> host) | (BigInt(port) << BigInt(32 - host))));
  }
  const halves = new DataView(encodeValue(ipv6, address).buffer);
  const upper = hash(halves.getBigUint64(0));
  return place(
    Number(upper >> BigInt(64 - groupBits)),
    hash(upper ^ (halves.getBigUint64(8) >> BigInt(host)) ^ (BigInt(port) << BigInt(FILTER_PORT_SHIFT_IPV6))),
  );
}

function place(group: number, hash: bigint): FilterPlace<number, number> {
  return { word: (group << 3) | Number(hash >> 61n), bit: Number(hash >> 55n) & 63 };
}

/** The filter of these addresses and ports, all of one family: its words that are not zero, by number. */
export function filterWords(endpoints: Iterable<Endpoint>, shape?: FilterShape): Map<number, bigint> {
  const words = new Map<number, bigint>();
  for (const endpoint of endpoints) {
    const { word, bit } = filterPlace(endpoint, shape);
    words.set(word, (words.get(word) ?? 0n) | (1n << BigInt(bit)));
  }
  return words;
}
