/** The load balancer's programs and maps. */
import type { ProgramSource } from "tsbpf";
import { connect4, connect6 } from "./connect.ts";
import { featuresFor } from "./features.ts";
import { getpeername4, getpeername6 } from "./getpeername.ts";
import { defaultOptions, type DataPathOptions } from "./options.ts";
import { postBind4, postBind6 } from "./post-bind.ts";
import { recvmsg4, recvmsg6 } from "./recvmsg.ts";
import { sendmsg4, sendmsg6 } from "./sendmsg.ts";
import { sockRelease } from "./sock-release.ts";

export * from "./maps.ts";
export { Event, EventKind, events, eventsLost } from "./events.ts";
export type { Counter } from "./call.ts";
export { filterPlace, filterWords } from "./address-filter.ts";
export { defaultOptions, type DataPathOptions } from "./options.ts";

/** Every program of the load balancer, built for the kernel and the configuration that `options` describe. */
export function loadBalancerPrograms(options: DataPathOptions = defaultOptions): readonly ProgramSource[] {
  const features = featuresFor(options);
  return [
    connect4(features),
    sendmsg4(features),
    recvmsg4(features),
    getpeername4(features),
    ...(options.ipv6 ? [connect6(features), sendmsg6(features), recvmsg6(features), getpeername6(features)] : []),
    ...(options.nodePorts ? [postBind4(features), ...(options.ipv6 ? [postBind6(features)] : [])] : []),
    sockRelease(features),
  ];
}
