import type { Infer } from "tsbpf";
import type { Maps } from "../index.ts";

/** Where a datagram came from, or where a socket is connected to. */
export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

/** `address:port`, with an IPv6 address in brackets, as an object. */
export function endpoint(text: string): Endpoint {
  const colon = text.lastIndexOf(":");
  return { address: text.slice(0, colon).replace(/^\[|\]$/g, ""), port: Number(text.slice(colon + 1)) };
}

/** The reverse of `endpoint`. */
export function endpointText({ address, port }: Endpoint): string {
  return `${address.includes(":") ? `[${address}]` : address}:${port}`;
}

/** What the reverse map holds for a socket that talks to a service, in the form of `entryText`. */
export function reverseEntry(
  { cookie }: { readonly cookie: bigint },
  service: Endpoint,
  backend: string,
  revNatIndex = 1,
): string {
  return entryText({ cookie, ...endpoint(backend) }, { ...service, revNatIndex });
}

/** An element of a reverse map as text. */
export function entryText(
  { cookie, ...backend }: Infer<Maps["reverseSk"]["key"]>,
  { revNatIndex, ...service }: Infer<Maps["reverseSk"]["value"]>,
): string {
  return `socket ${cookie}, backend ${endpointText(backend)}: service ${endpointText(service)}, index ${revNatIndex}`;
}
