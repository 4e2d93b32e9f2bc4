import { AttachType, ProgramType } from "../types/index.ts";
import { hook, pointer, readable } from "./hook.ts";
import { packetHelpers } from "./skb.ts";

/** The verdict of an XDP program on a packet (`enum xdp_action`). */
export const XdpAction = { ABORTED: 0, DROP: 1, PASS: 2, TX: 3, REDIRECT: 4 } as const;
export type XdpAction = (typeof XdpAction)[keyof typeof XdpAction];

/**
 * A packet as the network driver received it, from the Ethernet header on.
 *
 * Fields and rights follow `xdp_is_valid_access` in the kernel's
 * net/core/filter.c; the layout is `struct xdp_md`.
 */
export const xdp = hook({
  sections: ["xdp"],
  type: ProgramType.XDP,
  expectedAttachType: AttachType.XDP,
  contextType: "xdp_md",
  contextSize: 24,
  context: {
    data: pointer(0, "packet"),
    dataEnd: pointer(4, "packet_end"),
    ingressIfindex: readable(12, "u32"),
    rxQueueIndex: readable(16, "u32"),
  },
  returns: [XdpAction.ABORTED, XdpAction.DROP, XdpAction.PASS, XdpAction.TX, XdpAction.REDIRECT],
  helpers: packetHelpers,
  target: "interface",
});
