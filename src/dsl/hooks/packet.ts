/**
 * Hooks on a packet: a program sees its bytes, and what the kernel knows of it.
 *
 * Fields and rights are those of `sk_filter_is_valid_access`,
 * `cg_skb_is_valid_access` and `xdp_is_valid_access` in the kernel's
 * net/core/filter.c; layouts are `struct __sk_buff` and `struct xdp_md`.
 */
import { AttachType, ProgramType } from "../../types/index.ts";
import { pointer, readable, writable, type AnyReturn, type Hook } from "./hook.ts";

/** What becomes of a packet that an XDP program has seen (`enum xdp_action`). */
export const XdpAction = { ABORTED: 0, DROP: 1, PASS: 2, TX: 3, REDIRECT: 4 } as const;
export type XdpAction = (typeof XdpAction)[keyof typeof XdpAction];

const helpers = [
  "ktimeGetNs",
  "ktimeGetBootNs",
  "getPrandomU32",
  "getSmpProcessorId",
  "ringbufOutput",
  "tailCall",
] as const;
type PacketHelper = (typeof helpers)[number];

const skb = {
  /** Bytes, headers of the layer at hand included. */
  len: readable(0, "u32"),
  /** 0: to this host; 4: sent by it (linux/if_packet.h). */
  pktType: readable(4, "u32"),
  mark: readable(8, "u32"),
  queueMapping: readable(12, "u32"),
  /** EtherType; the kernel's field has 32 bits, of which it takes 16. */
  protocol: readable(16, "be16", 4),
  priority: readable(32, "u32"),
  ingressIfindex: readable(36, "u32"),
  ifindex: readable(40, "u32"),
  hash: readable(68, "u32"),
} as const;

const cgroupSkbFields = {
  ...skb,
  mark: writable(8, "u32"),
  priority: writable(32, "u32"),
  family: readable(88, "u32"),
  remoteIp4: readable(92, "be32"),
  localIp4: readable(96, "be32"),
  /** In the machine's byte order. */
  localPort: readable(136, "u32"),
  data: pointer(76, "packet"),
  dataEnd: pointer(80, "packet_end"),
} as const;

/** A filter on a socket: gives how many bytes of the packet the socket is to get. */
export const socketFilter: Hook<typeof skb, AnyReturn, PacketHelper | "getSocketCookie", "socket"> = {
  section: "socket",
  type: ProgramType.SOCKET_FILTER,
  contextType: "__sk_buff",
  context: skb,
  helpers: [...helpers, "getSocketCookie"],
};

/** A packet that came in for a process of a cgroup: 0 drops it. From the IP header on. */
export const cgroupSkbIngress: Hook<
  typeof cgroupSkbFields,
  0 | 1,
  PacketHelper | "getSocketCookie",
  "cgroup_skb/ingress"
> = {
  section: "cgroup_skb/ingress",
  type: ProgramType.CGROUP_SKB,
  expectedAttachType: AttachType.CGROUP_INET_INGRESS,
  contextType: "__sk_buff",
  context: cgroupSkbFields,
  returns: [0, 1],
  helpers: [...helpers, "getSocketCookie"],
};

/** A packet that a process of a cgroup sends: 0 drops it. From the IP header on. */
export const cgroupSkbEgress: Hook<
  typeof cgroupSkbFields,
  0 | 1,
  PacketHelper | "getSocketCookie",
  "cgroup_skb/egress"
> = {
  ...cgroupSkbIngress,
  section: "cgroup_skb/egress",
  expectedAttachType: AttachType.CGROUP_INET_EGRESS,
};

const xdpFields = {
  data: pointer(0, "packet"),
  dataEnd: pointer(4, "packet_end"),
  ingressIfindex: readable(12, "u32"),
  rxQueueIndex: readable(16, "u32"),
} as const;

/** A packet as the network driver received it, from the Ethernet header on. */
export const xdp: Hook<typeof xdpFields, XdpAction, PacketHelper, "xdp"> = {
  section: "xdp",
  type: ProgramType.XDP,
  expectedAttachType: AttachType.XDP,
  contextType: "xdp_md",
  context: xdpFields,
  returns: Object.values(XdpAction),
  helpers,
};
