/** `struct __sk_buff` of linux/bpf.h: a packet as the network stack has it. */
import { readable } from "./hook.ts";

/** Fields that every hook on it may read (`sk_filter_is_valid_access` in the kernel's net/core/filter.c). */
export const skb = {
  /** Bytes, headers of the layer at hand included. */
  len: readable(0, "u32"),
  /** 0: to this host; 4: sent by it (linux/if_packet.h). */
  pktType: readable(4, "u32"),
  mark: readable(8, "u32"),
  queueMapping: readable(12, "u32"),
  /** EtherType; the kernel's field has 32 bits and takes 16 of them. */
  protocol: readable(16, "be16", 4),
  priority: readable(32, "u32"),
  ingressIfindex: readable(36, "u32"),
  ifindex: readable(40, "u32"),
  hash: readable(68, "u32"),
} as const;

export const skbContext = { contextType: "__sk_buff", contextSize: 192 } as const;

/** Families of helpers that every hook on a packet has. */
export const packetHelpers = ["time", "cpu", "ringBuffer", "tailCall"] as const;
