/** Events of translations as people and other programs read them. */
import { EventKind, type Event } from "../../../programs/events.ts";
import { withoutMapping, type Infer } from "../../types/index.ts";
import { endpointText, familyOf, protocolOf, type AddressFamily } from "../model/service.ts";

const kinds = {
  [EventKind.PRE_FORWARD]: "pre-forward",
  [EventKind.POST_FORWARD]: "post-forward",
  [EventKind.PRE_REVERSE]: "pre-reverse",
  [EventKind.POST_REVERSE]: "post-reverse",
} as const satisfies Record<EventKind, string>;

/** `pre-forward`: a socket asks for a service; `post-forward`: it is sent to a backend; `pre-reverse`, `post-reverse`: the same on the way back. */
export type EventKindName = (typeof kinds)[EventKind];

export interface TranslationEvent {
  readonly kind: EventKindName;
  /** Nanoseconds since boot (CLOCK_MONOTONIC). */
  readonly time: bigint;
  /** Absent where no service has this index any more. */
  readonly service: string | undefined;
  readonly family: AddressFamily;
  readonly revNatIndex: number;
  /** `tcp`, `udp`; a number for any other. */
  readonly protocol: string;
  /** The calling process. */
  readonly pid: number;
  /** The socket's cookie (SO_COOKIE). */
  readonly cookie: bigint;
  /** Of the calling process's cgroup: its directory's inode number. */
  readonly cgroupId: bigint;
  /** Of the socket's network namespace (SO_NETNS_COOKIE). */
  readonly netnsCookie: bigint;
  /** What the process named, or a packet came from: `100.0.0.1:80`, `[fd00::1]:80`. */
  readonly original: string;
  /** What was put in its place; absent before that. */
  readonly translated: string | undefined;
}

/** @param nameOf the service of an index */
export function translationEvent(
  { kind, original, originalPort, translated, translatedPort, protocol, revNatIndex, ...rest }: Infer<typeof Event>,
  nameOf: (family: AddressFamily, revNatIndex: number) => string | undefined,
): TranslationEvent {
  // In its mapped form no service has its address.
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
