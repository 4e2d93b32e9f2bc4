/** Translation events in the form that users read. */
import { EventKind, type Event } from "../../../programs/index.ts";
import { withoutMapping, type Infer } from "../../types/index.ts";
import { endpointText, familyOf, protocolOf, type AddressFamily } from "../model/index.ts";

const kinds = {
  [EventKind.PRE_FORWARD]: "pre-forward",
  [EventKind.POST_FORWARD]: "post-forward",
  [EventKind.PRE_REVERSE]: "pre-reverse",
  [EventKind.POST_REVERSE]: "post-reverse",
} as const satisfies Record<EventKind, string>;

/**
 * `pre-forward`: a socket calls a service; `post-forward`: it goes to a backend; `pre-reverse`, `post-reverse`:
 * replies.
 */
export type EventKindName = (typeof kinds)[EventKind];

/** One translation, or the call that it is about. */
export interface TranslationEvent {
  readonly kind: EventKindName;
  /** Nanoseconds since boot (CLOCK_MONOTONIC). */
  readonly time: bigint;
  /** Undefined if no service has this index any more. */
  readonly service: string | undefined;
  readonly family: AddressFamily;
  readonly revNatIndex: number;
  /** `tcp`, `udp`; a number for any other. */
  readonly protocol: string;
  /** The calling process. */
  readonly pid: number;
  /** The socket's cookie (SO_COOKIE). */
  readonly cookie: bigint;
  /** Id of the calling process's cgroup: its directory's inode number. */
  readonly cgroupId: bigint;
  /** Cookie of the socket's network namespace (SO_NETNS_COOKIE). */
  readonly netnsCookie: bigint;
  /** The destination that the process named, or the source of a reply: `100.0.0.1:80`, `[fd00::1]:80`. */
  readonly original: string;
  /** The address in its place; undefined in `pre-` events. */
  readonly translated: string | undefined;
}

/** @param nameOf the name of the service with an index */
export function translationEvent(
  { kind, original, originalPort, translated, translatedPort, protocol, revNatIndex, ...rest }: Infer<typeof Event>,
  nameOf: (family: AddressFamily, revNatIndex: number) => string | undefined,
): TranslationEvent {
  // Services have plain IPv4 addresses, not mapped ones.
  const address = withoutMapping(original);
  const family = familyOf(address);
  return {
    kind: kinds[kind as EventKind],
    ...rest,
    family,
    revNatIndex,
    service: nameOf(family, revNatIndex),
    protocol: protocolOf(protocol) ?? String(protocol),
    original: endpointText({ address, port: originalPort }),
    translated:
      translatedPort === 0 ? undefined : endpointText({ address: withoutMapping(translated), port: translatedPort }),
  };
}
