import type { AnyContext, BuilderWith, Condition } from "tsbpf";
import type { DataPathOptions } from "./options.ts";

/** The socket is of the network namespace that counts as the host's. */
export function isOfHost(
  b: BuilderWith<"getNetnsCookie">,
  context: AnyContext,
  { hostNetnsCookie }: DataPathOptions,
): Condition {
  return b.getNetnsCookie(context).eq(hostNetnsCookie ?? b.getNetnsCookie());
}
