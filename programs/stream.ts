import { Errno, PROCEED, type BuilderWith } from "tsbpf";
import { chooseBackend, redirect } from "./backend.ts";
import { forgetConnection, rememberConnection } from "./connections.ts";
import { EventKind, tell, type EventHelper } from "./events.ts";
import { currentGeneration, rememberStream } from "./flows.ts";
import type { DataPathOptions } from "./options.ts";
import { unlessLeftAlone, type LeftAloneHelper } from "./left-alone.ts";
import { findService, mayBeService, refusingWith } from "./service.ts";
import type { SocketAddress } from "./socket-address.ts";

/** The helpers that `translateStream` calls. */
export type StreamHelper =
  | LeftAloneHelper
  | EventHelper
  | "getPrandomU32"
  | "getSocketCookie"
  | "ktimeGetNs"
  | "skStorageGet"
  | "setRetval";

/** Where a stream connects to: any of the service's backends, another each time. */
export function translateStream(
  b: BuilderWith<StreamHelper, 0 | 1>,
  to: SocketAddress,
  options: DataPathOptions,
): void {
  forgetConnection(b, to, options);
  const refusing = refusingWith(Errno.ECONNREFUSED, options);
  const elsewhere = () => b.return(PROCEED);
  const service = findService(b, to, mayBeService(b, to), elsewhere, refusing);
  unlessLeftAlone(b, to, service, elsewhere, options);
  tell(b, to, options, EventKind.PRE_FORWARD, () => service);
  const backend = chooseBackend(b, to, service, () => b.getPrandomU32(), refusing);
  if (options.rememberStreams) rememberStream(b, to, service, backend, currentGeneration(b));
  rememberConnection(b, to, service, backend, options);
  tell(b, to, options, EventKind.POST_FORWARD, () => ({ ...service, translated: backend }));
  redirect(to, backend);
}
