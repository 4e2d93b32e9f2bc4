/** The hooks: each is declared in a file of this folder and registered in a line below. */
import type { AttachType, ProgramType } from "../types/index.ts";
import { bind4, bind6 } from "./bind.ts";
import { egress, ingress } from "./cgroup-skb.ts";
import { connect4, connect6 } from "./connect.ts";
import { getpeername4, getpeername6 } from "./getpeername.ts";
import { getsockname4, getsockname6 } from "./getsockname.ts";
import type { Hook, ProgramKind } from "./hook.ts";
import { recvmsg4, recvmsg6 } from "./recvmsg.ts";
import { sendmsg4, sendmsg6 } from "./sendmsg.ts";
import { postBind4, postBind6, sockCreate, sockRelease } from "./sock.ts";
import { socketFilter } from "./socket-filter.ts";
import { withoutHook } from "./without-hook.ts";
import { xdp } from "./xdp.ts";

/** Every hook, by the name that the builder has for it. */
export const hooks = {
  cgroup: {
    connect4,
    connect6,
    bind4,
    bind6,
    sendmsg4,
    sendmsg6,
    recvmsg4,
    recvmsg6,
    getpeername4,
    getpeername6,
    getsockname4,
    getsockname6,
    sockCreate,
    sockRelease,
    postBind4,
    postBind6,
    ingress,
    egress,
  },
  socketFilter,
  xdp,
} as const;

/** Every hook as a list. */
export const allHooks: readonly Hook[] = Object.values<Hook | Readonly<Record<string, Hook>>>(hooks).flatMap((entry) =>
  isHook(entry) ? [entry] : Object.values(entry),
);

/** Tells a hook from a group of hooks. */
export function isHook(entry: Hook | Readonly<Record<string, Hook>>): entry is Hook {
  return Array.isArray(entry["sections"]);
}

/** Every hook, and the program types that have none here. */
export const programKinds: readonly ProgramKind[] = [...allHooks, ...withoutHook];

/**
 * The hook of a program.
 * @returns undefined where no hook is declared for its program type and attach type
 */
export function hookOf(program: {
  readonly type: ProgramType;
  readonly expectedAttachType?: AttachType | undefined;
}): Hook | undefined {
  const ofType = allHooks.filter(({ type }) => type === program.type);
  return (
    ofType.find(({ expectedAttachType }) => expectedAttachType === program.expectedAttachType) ??
    // A type with one hook may leave the attach type out.
    (ofType.length === 1 && program.expectedAttachType === undefined ? ofType[0] : undefined)
  );
}

export { BPF_SOCK_SIZE, bpfSock } from "./bpf-sock.ts";
export type {
  ContextArray,
  ContextField,
  ContextFields,
  ContextPointer,
  Hook,
  PointerFields,
  ProgramKind,
  TargetKind,
} from "./hook.ts";
export { address4, address6, PROCEED, REJECT } from "./sock-addr.ts";
export { XdpAction } from "./xdp.ts";
