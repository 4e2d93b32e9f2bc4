import type { Program } from "../../types/index.ts";
import type { SimulatedSocket } from "../socket.ts";
import type { ContextValues } from "./context.ts";
import type { ContextLayout } from "./layout.ts";

/**
 * What a context holds where the test does not say: the family of the hook, UDP
 * for the hooks on datagrams and TCP for the others, and what the socket has.
 */
export function defaultContext({ section }: Program, { fields }: ContextLayout, socket: SimulatedSocket | undefined): ContextValues {
  const datagrams = section.includes("sendmsg") || section.includes("recvmsg");
  const family = section.endsWith("6") ? "inet6" : "inet";
  const values: ContextValues = {
    userFamily: family,
    family,
    type: datagrams ? "dgram" : "stream",
    protocol: datagrams ? "udp" : "tcp",
    ...socket?.fields,
  };
  return Object.fromEntries(Object.entries(values).filter(([name]) => isHookOnSockets(fields) && name in fields));
}

const isHookOnSockets = (fields: ContextLayout["fields"]): boolean => "type" in fields && "protocol" in fields;
