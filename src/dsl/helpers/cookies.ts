import type { Emitter } from "../emitter.ts";
import { pointerValue, type AnyContext } from "../kernel-pointer.ts";
import { ScalarValue, type Scalar } from "../scalar.ts";
import { callHelper, number, PURE, type Implementations } from "./call.ts";

/** The socket's identity. */
export interface SocketCookieHelpers {
  /** The socket's number, unique while the system is up. */
  getSocketCookie(context: AnyContext): Scalar<"u64">;
}

export const socketCookie: Implementations<SocketCookieHelpers> = {
  getSocketCookie: number("bpf_get_socket_cookie", "u64", PURE),
};

/** The network namespace's identity. */
export interface NetnsCookieHelpers {
  /** The cookie of the socket's network namespace, unique until reboot; without a context, the initial namespace's. */
  getNetnsCookie(context?: AnyContext): Scalar<"u64">;
}

export const netnsCookie: Implementations<NetnsCookieHelpers> = {
  getNetnsCookie(emitter: Emitter, context?: unknown) {
    const argument = context === undefined ? emitter.constant("ptr", 0n) : pointerValue(emitter, context);
    return new ScalarValue(emitter, "u64", callHelper(emitter, "bpf_get_netns_cookie", [argument], PURE));
  },
};
