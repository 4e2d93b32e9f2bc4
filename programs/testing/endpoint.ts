import type { Infer } from "tsbpf";
import type { Maps } from "../index.ts";

/** The source of a datagram, or the peer of a socket. */
export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

/** Parses `address:port`, with an IPv6 address in brackets. */
export function endpoint(text: string): Endpoint {
  const colon = text.lastIndexOf(":");
  return { address: text.slice(0, colon).replace(/^\[|\]$/g, ""), port: Number(text.slice(colon + 1)) };
}

/** The reverse of `endpoint`. */
export function endpointText({ address, port }: Endpoint): string {
  return `${address.includes(":") ? `[${address}]` : address}:${port}`;
}

/** The reverse entry of a socket's flow to a service, in the form of `entryText`. */
export function reverseEntry(
  { cookie }: { readonly cookie: bigint },
  service: Endpoint,
  backend: string,
  revNatIndex = 1,
): string {
  return entryText({ cookie, ...endpoint(backend) }, { ...service, revNatIndex });
}

/** An entry of a reverse map as text. */
export function entryText(
  { cookie, ...backend }: Infer<Maps["reverseSk"]["key"]>,
  { revNatIndex, ...service }: Infer<Maps["reverseSk"]["value"]>,
): string {
  return `socket ${cookie}, backend ${endpointText(backend)}: service ${endpointText(service)}, index ${revNatIndex}`;
}
