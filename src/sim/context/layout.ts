/**
 * The contexts of programs as memory. Fields and what a hook may do with them
 * are those of the DSL's hooks.
 */
import { readable, type ContextFields, type Hook } from "../../dsl/hooks/hook.ts";
import * as packet from "../../dsl/hooks/packet.ts";
import * as sock from "../../dsl/hooks/sock.ts";
import * as sockAddr from "../../dsl/hooks/sock-addr.ts";
import type { Program } from "../../asm/index.ts";

export interface ContextLayout {
  /** For errors: the hook's section, or the struct's name. */
  readonly name: string;
  /** Bytes of the struct. */
  readonly size: number;
  readonly fields: ContextFields;
}

/** Bytes of the structs in linux/bpf.h. */
const sizes: Readonly<Record<string, number>> = { bpf_sock_addr: 72, bpf_sock: 80, __sk_buff: 192, xdp_md: 24 };

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

const hooks: readonly Hook[] = [sock, sockAddr, packet].flatMap((module) =>
  Object.values<unknown>(module).filter(isHook),
);

function isHook(exported: unknown): exported is Hook {
  return typeof exported === "object" && exported !== null && "contextType" in exported;
}

/** The context of a program; undefined where the simulator does not know its hook. */
export function layoutOf({ type, expectedAttachType }: Program): ContextLayout | undefined {
  const ofType = hooks.filter((hook) => hook.type === type);
  const hook =
    ofType.find((hook) => hook.expectedAttachType === expectedAttachType) ??
    // Types with a single hook may leave it unsaid.
    (ofType.length === 1 && expectedAttachType === undefined ? ofType[0] : undefined);
  return hook === undefined ? undefined : { name: hook.section, size: sizes[hook.contextType]!, fields: hook.context };
}
