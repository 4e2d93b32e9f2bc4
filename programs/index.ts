/** The load balancer's programs and maps. */
import type { ProgramSource } from "tsbpf";
import { connect4, connect6 } from "./connect.ts";
import { defaultOptions, type DataPathOptions } from "./options.ts";
import { postBind4, postBind6 } from "./post-bind.ts";
import { getpeername4, getpeername6, recvmsg4, recvmsg6 } from "./recvmsg.ts";
import { sendmsg4, sendmsg6 } from "./sendmsg.ts";
import { sockRelease } from "./sock-release.ts";

export * from "./maps.ts";
export { Event, EventKind, events, eventsLost } from "./events.ts";
export { NO_SERVICE, type Counter } from "./metrics.ts";
export { filterPlace, filterWords } from "./service-filter.ts";
export { defaultOptions, type DataPathOptions } from "./options.ts";

/** Every program of the load balancer, built for the kernel and the configuration that `options` describe. */
export function loadBalancerPrograms(options: DataPathOptions = defaultOptions): readonly ProgramSource[] {
  return [
    connect4(options),
    sendmsg4(options),
    recvmsg4(options),
    getpeername4(options),
    ...(options.ipv6 ? [connect6(options), sendmsg6(options), recvmsg6(options), getpeername6(options)] : []),
    ...(options.nodePorts ? [postBind4(options), ...(options.ipv6 ? [postBind6(options)] : [])] : []),
    sockRelease(options),
  ];
}
