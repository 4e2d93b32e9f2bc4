import { PROCEED, type BuilderWith } from "../src/dsl/index.ts";
import { chooseBackend, redirect } from "./backend.ts";
import { forgetConnection, rememberConnection } from "./connections.ts";
import { currentGeneration, rememberStream } from "./flows.ts";
import type { DataPathOptions } from "./options.ts";
import { findService } from "./service.ts";
import type { SocketAddress } from "./socket-address.ts";

/** The helpers that `translateStream` calls. */
export type StreamHelper = "getNetnsCookie" | "getPrandomU32" | "getSocketCookie" | "ktimeGetNs" | "skStorageGet" | "setRetval";

/** Where a stream connects to: any of the service's backends, another each time. */
export function translateStream(
  b: BuilderWith<StreamHelper, 0 | 1>, to: SocketAddress, options: DataPathOptions,
): void {
  forgetConnection(b, to, options);
  const service = findService(b, to, () => b.return(PROCEED), options);
  const backend = chooseBackend(b, to, service, () => b.getPrandomU32(), options);
  if (options.rememberStreams) rememberStream(b, to, service, backend, currentGeneration(b));
  rememberConnection(b, to, service, backend, options);
  redirect(to, backend);
}
