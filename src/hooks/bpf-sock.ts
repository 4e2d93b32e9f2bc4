/** `struct bpf_sock` of linux/bpf.h: a context, and the target of a context's `sk`. */
import { readable } from "./hook.ts";

export const BPF_SOCK_SIZE = 80;

/**
 * All that programs may read through a pointer to a socket
 * (`bpf_sock_is_valid_access` in the kernel's net/core/filter.c).
 */
export const bpfSock = {
  boundDevIf: readable(0, "u32"),
  family: readable(4, "u32"),
  type: readable(8, "u32"),
  /** IP protocol number. */
  protocol: readable(12, "u32"),
  mark: readable(16, "u32"),
  priority: readable(20, "u32"),
  srcIp4: readable(24, "be32"),
  srcIp6: { element: readable(28, "be32"), count: 4 },
  /** In the machine's byte order, unlike other ports. */
  srcPort: readable(44, "u32"),
  /** In network byte order; 0 without a peer. */
  dstPort: readable(48, "be16", 2),
  /** The peer's IPv4 address; an IPv6 socket has one where the peer's address is IPv4-mapped. */
  dstIp4: readable(52, "be32"),
  dstIp6: { element: readable(56, "be32"), count: 4 },
  /** The kernel's TCP states, for every protocol: 1 means that the socket has a peer. */
  state: readable(72, "u32"),
  rxQueueMapping: readable(76, "u32"),
} as const;
