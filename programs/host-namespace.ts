import type { Condition } from "tsbpf";
import type { Call } from "./call.ts";

/** The socket belongs to the host's network namespace. */
export function isOfHost({ b, context, options }: Call): Condition {
  return b.getNetnsCookie(context).eq(options.hostNetnsCookie ?? b.getNetnsCookie());
}
