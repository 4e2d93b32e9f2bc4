import { PROCEED, type BuilderWith, type Ref } from "../src/dsl/index.ts";
import { chooseBackend, findService, redirect, seedOfSocket } from "./backend.ts";
import { currentGeneration, findRecent, forgetBackend, rememberDatagrams, toService } from "./flows.ts";
import type { Flow, Service } from "./maps.ts";
import type { DataPathOptions } from "./options.ts";
import type { SocketAddress } from "./socket-address.ts";

/**
 * Where a datagram socket's packets to the address in the context go, be it
 * connected to it or not. A socket that was sent to a backend for a service
 * stays with it until the service changes. `elsewhere` is done where the address
 * is no service's.
 */
export function translateDatagram(
  b: BuilderWith<"getSocketCookie" | "skStorageGet" | "setRetval", 0 | 1>, to: SocketAddress, options: DataPathOptions,
  elsewhere: () => void = () => forgetBackend(b, to),
): void {
  reuseFlow(b, to);
  const service = findService(b, to).orElse(() => {
    elsewhere();
    b.return(PROCEED);
  });
  reuseEarlierFlow(b, to, service);
  const backend = chooseBackend(b, to, service, seedOfSocket(b, to), options);
  rememberDatagrams(b, to, service, backend);
  redirect(to, backend);
}

/** Takes the flow that was chosen in this generation: no service has changed since. */
function reuseFlow(b: BuilderWith<"skStorageGet">, to: SocketAddress): void {
  b.skStorageGet(to.maps.flows, to.sk).ifFound((known) => {
    const now = currentGeneration(b);
    findRecent(b, known, (flow) => toService(flow, to).and(() => flow.generation.eq(now)))
      .ifFound((flow) => follow(b, to, flow));
  });
}

/** Takes the flow that was chosen in an earlier generation, but for this service as it still is. */
function reuseEarlierFlow(b: BuilderWith<"skStorageGet">, to: SocketAddress, service: Ref<typeof Service>): void {
  b.skStorageGet(to.maps.flows, to.sk).ifFound((known) => {
    findRecent(b, known, (flow) =>
      toService(flow, to).and(() => flow.base.eq(service.base)).and(() => flow.revNatIndex.eq(service.revNatIndex)),
    ).ifFound((flow) => {
      flow.generation.set(currentGeneration(b));
      follow(b, to, flow);
    });
  });
}

function follow(b: BuilderWith, to: SocketAddress, flow: Ref<Flow>): void {
  redirect(to, { address: flow.backendAddress, port: flow.backendPort });
  b.return(PROCEED);
}
