/** Program parts that write addresses to `struct bpf_sock_addr`. */
import { mov, r1, r2, store, type Item } from "../../src/asm/index.ts";
import { encodeValue, ipv4, ipv6 } from "../../src/types/index.ts";

/** Bytes from the start of `struct bpf_sock_addr`. */
export const field = {
  userFamily: 0,
  userIp4: 4,
  userIp6: 8,
  userPort: 24,
  family: 28,
  type: 32,
  protocol: 36,
  msgSrcIp4: 40,
  msgSrcIp6: 44,
} as const;

/** Writes an address to a field: 4 or 16 bytes. Expects the context in r1 and changes r2. */
export function setAddress(offset: number, address: string): readonly Item[] {
  const bytes = address.includes(":") ? encodeValue(ipv6, address) : encodeValue(ipv4, address);
  const view = new DataView(bytes.buffer);
  return Array.from({ length: bytes.length / 4 }, (_, i) => [
    mov(r2, view.getInt32(4 * i, true)),
    store("u32", r1, offset + 4 * i, r2),
  ]).flat();
}

/** Writes the port. Expects the context in r1 and changes r2. */
export function setPort(port: number): readonly Item[] {
  return [mov(r2, ((port & 0xff) << 8) | (port >> 8)), store("u32", r1, field.userPort, r2)];
}
