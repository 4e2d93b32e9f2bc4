/**
 * Packets of a cgroup's processes, from the IP header on.
 *
 * Fields and rights follow `cg_skb_is_valid_access` in the kernel's
 * net/core/filter.c.
 */
import { AttachType, ProgramType } from "../types/index.ts";
import { hook, pointer, readable, writable } from "./hook.ts";
import { packetHelpers, skb, skbContext } from "./skb.ts";

const facts = {
  ...skbContext,
  type: ProgramType.CGROUP_SKB,
  context: {
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
  },
  returns: [0, 1],
  helpers: [...packetHelpers, "socketCookie"],
  target: "cgroup",
} as const;

/** A packet that came in for a process of a cgroup: 0 drops it. */
export const ingress = hook({
  ...facts,
  sections: ["cgroup_skb/ingress"],
  expectedAttachType: AttachType.CGROUP_INET_INGRESS,
});

/** A packet that a process of a cgroup sends: 0 drops it. */
export const egress = hook({
  ...facts,
  sections: ["cgroup_skb/egress"],
  expectedAttachType: AttachType.CGROUP_INET_EGRESS,
});
