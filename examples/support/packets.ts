/** Packets for examples whose programs the kernel runs on given input. */

/** EtherTypes (linux/if_ether.h). */
export const ETH_P_IP = 0x0800;
export const ETH_P_ARP = 0x0806;

const ETHERNET_SIZE = 14;
const IPV4_SIZE = 20;
const UDP_SIZE = 8;
const IPPROTO_UDP = 17;

/** An Ethernet frame of that type with `size` bytes of zeroes behind its header. */
export function frame(type: number, size: number): Buffer {
  const bytes = Buffer.alloc(ETHERNET_SIZE + size);
  bytes.writeUInt16BE(type, 12);
  return bytes;
}

/** An empty UDP datagram over IPv4, from and to addresses for documentation (RFC 5737). */
export function udpFrame(port: number): Buffer {
  const bytes = frame(ETH_P_IP, IPV4_SIZE + UDP_SIZE);
  const ip = bytes.subarray(ETHERNET_SIZE);
  ip[0] = 0x45;
  ip.writeUInt16BE(IPV4_SIZE + UDP_SIZE, 2);
  ip[8] = 64;
  ip[9] = IPPROTO_UDP;
  ip.set([192, 0, 2, 1], 12);
  ip.set([192, 0, 2, 2], 16);
  ip.writeUInt16BE(49_152, IPV4_SIZE);
  ip.writeUInt16BE(port, IPV4_SIZE + 2);
  ip.writeUInt16BE(UDP_SIZE, IPV4_SIZE + 4);
  return bytes;
}
