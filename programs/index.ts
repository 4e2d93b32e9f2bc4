/** The load balancer's programs and maps. */
import type { ProgramSource } from "../src/dsl/index.ts";
import { connect4 } from "./connect4.ts";
import { getpeername4 } from "./getpeername4.ts";
import { defaultOptions, type DataPathOptions } from "./options.ts";
import { recvmsg4 } from "./recvmsg4.ts";
import { sendmsg4 } from "./sendmsg4.ts";
import { sockRelease } from "./sock-release.ts";

export * from "./maps.ts";
export { defaultOptions, type DataPathOptions } from "./options.ts";

/** Every program of the load balancer, built for the kernel and the configuration that `options` describe. */
export function loadBalancerPrograms(options: DataPathOptions = defaultOptions): readonly ProgramSource[] {
  return [connect4(options), sendmsg4(options), recvmsg4(), getpeername4(), sockRelease()];
}
