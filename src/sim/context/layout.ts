/**
 * The contexts of programs as memory. Fields and what a hook may do with them
 * are those of the DSL's hooks; what they do not describe is here.
 */
import { ProgramType, type Program } from "../../types/index.ts";
import { readable, writable, type ContextFields, type Hook } from "../../dsl/hooks/hook.ts";
import * as sock from "../../dsl/hooks/sock.ts";
import * as sockAddr from "../../dsl/hooks/sock-addr.ts";

export interface ContextLayout {
  /** For errors: the hook's section, or the struct's name. */
  readonly name: string;
  /** Bytes of the struct. */
  readonly size: number;
  readonly fields: ContextFields;
}

/** Bytes of the structs in linux/bpf.h. */
const sizes: Readonly<Record<string, number>> = { bpf_sock_addr: 72, bpf_sock: 80 };

/** Where the packet begins and ends: addresses of 32 bits, which the kernel turns into pointers. */
export interface PacketFields {
  readonly data: number;
  readonly dataEnd: number;
  readonly dataMeta: number;
}

/** `struct xdp_md`. */
const xdp: ContextLayout & { readonly packet: PacketFields } = {
  name: "xdp",
  size: 24,
  packet: { data: 0, dataEnd: 4, dataMeta: 8 },
  fields: {
    data: readable(0, "u32"),
    dataEnd: readable(4, "u32"),
    dataMeta: readable(8, "u32"),
    ingressIfindex: readable(12, "u32"),
    rxQueueIndex: readable(16, "u32"),
    egressIfindex: readable(20, "u32"),
  },
};

/** `struct __sk_buff`, as far as programs of all its types agree on it. */
const skb: ContextLayout & { readonly packet: PacketFields } = {
  name: "__sk_buff",
  size: 192,
  packet: { data: 76, dataEnd: 80, dataMeta: 140 },
  fields: {
    len: readable(0, "u32"),
    pktType: readable(4, "u32"),
    mark: writable(8, "u32"),
    queueMapping: readable(12, "u32"),
    /** EtherType. */
    protocol: readable(16, "be16", 4),
    priority: writable(32, "u32"),
    ingressIfindex: readable(36, "u32"),
    ifindex: readable(40, "u32"),
    cb: { element: writable(48, "u32"), count: 5 },
    hash: readable(68, "u32"),
    data: readable(76, "u32"),
    dataEnd: readable(80, "u32"),
    family: readable(88, "u32"),
    remoteIp4: readable(92, "be32"),
    localIp4: readable(96, "be32"),
    remoteIp6: { element: readable(100, "be32"), count: 4 },
    localIp6: { element: readable(116, "be32"), count: 4 },
    remotePort: readable(132, "be16", 4),
    localPort: readable(136, "u32"),
    dataMeta: readable(140, "u32"),
    wireLen: readable(160, "u32"),
  },
};

/** `struct bpf_sock` behind a pointer such as `ctx->sk`: everything may be read, nothing written. */
export const socketLayout: ContextLayout = {
  name: "bpf_sock",
  size: sizes["bpf_sock"]!,
  fields: {
    ...sock.postBind4.context,
    ...sock.postBind6.context,
    boundDevIf: readable(0, "u32"),
    mark: readable(16, "u32"),
    priority: readable(20, "u32"),
    dstPort: readable(48, "be16", 2),
    dstIp4: readable(52, "be32"),
    dstIp6: { element: readable(56, "be32"), count: 4 },
    state: readable(72, "u32"),
    rxQueueMapping: readable(76, "u32"),
  },
};

const hooks: readonly Hook[] = [sock, sockAddr].flatMap((module) =>
  Object.values(module).filter((exported): exported is Hook<ContextFields, never> & typeof exported => typeof exported === "object" && "contextType" in exported));

/** The context of a program; undefined where the simulator does not know it. */
export function layoutOf(program: Program): ContextLayout | undefined {
  switch (program.type) {
    case ProgramType.XDP:
      return xdp;
    case ProgramType.SOCKET_FILTER:
    case ProgramType.SCHED_CLS:
    case ProgramType.SCHED_ACT:
    case ProgramType.CGROUP_SKB:
      return skb;
    default: {
      const hook = hooks.find(({ type, expectedAttachType }) => type === program.type && expectedAttachType === program.expectedAttachType);
      return hook === undefined ? undefined : { name: hook.section, size: sizes[hook.contextType]!, fields: hook.context };
    }
  }
}

/** Where the packet's addresses go in a context that has them. */
export function packetFieldsOf(layout: ContextLayout): PacketFields | undefined {
  return layout === xdp ? xdp.packet : layout === skb ? skb.packet : undefined;
}
