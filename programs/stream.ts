import { PROCEED, type BuilderWith } from "../src/dsl/index.ts";
import { chooseBackend, findService, redirect } from "./backend.ts";
import { rememberStream } from "./flows.ts";
import type { DataPathOptions } from "./options.ts";
import type { SocketAddress } from "./socket-address.ts";

/** Where a stream connects to: any of the service's backends, another each time. */
export function translateStream(
  b: BuilderWith<"getPrandomU32" | "skStorageGet" | "setRetval", 0 | 1>, to: SocketAddress, options: DataPathOptions,
): void {
  const service = findService(b, to).orReturn(PROCEED);
  const backend = chooseBackend(b, to, service, b.getPrandomU32(), options);
  if (options.rememberStreams) rememberStream(b, to, service, backend);
  redirect(to, backend);
}
