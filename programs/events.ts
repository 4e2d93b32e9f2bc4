/**
 * What is told of each translation while somebody listens: programs are built
 * for it then, and take the place of those that are not.
 */
import { be16, ipv6, percpuArray, ringbuf, struct, u16, u32, u64, u8, type BuilderWith, type Scalar } from "tsbpf";
import type { DataPathOptions } from "./options.ts";
import type { Endpoint, SocketAddress } from "./socket-address.ts";

/** What an event tells. */
export const EventKind = {
  /** A socket asks for a service. What follows is `POST_FORWARD`, unless the call is refused. */
  PRE_FORWARD: 1,
  /** It is sent to a backend. */
  POST_FORWARD: 2,
  /** A backend has answered, or its address is asked for. What follows is `POST_REVERSE`, unless the service is no more. */
  PRE_REVERSE: 3,
  /** The process is shown the service. */
  POST_REVERSE: 4,
} as const;
export type EventKind = (typeof EventKind)[keyof typeof EventKind];

export const Event = struct("lb_event", {
  /** Nanoseconds since boot (CLOCK_MONOTONIC). */
  time: u64,
  /** The socket's, as SO_COOKIE has it. */
  cookie: u64,
  /** Of the calling process's cgroup: its directory's inode number. */
  cgroupId: u64,
  /** Of the socket's network namespace, as SO_NETNS_COOKIE has it. */
  netnsCookie: u64,
  /** What the process named, or the packet came from; an IPv4 address in its mapped form. */
  original: ipv6,
  /** What is put in its place; before that is known, zero. */
  translated: ipv6,
  /** The calling process. */
  pid: u32,
  originalPort: be16,
  translatedPort: be16,
  /** Names the service, among those of its family. */
  revNatIndex: u16,
  /** IP protocol number, of which the low byte is enough: MPTCP (262) has TCP's. */
  protocol: u8,
  /** `EventKind`. */
  kind: u8,
});

/** Read by one listener. */
export const events = ringbuf("events", { value: Event, maxEntries: 1 << 20 });

/** Events for which there was no room, for each CPU. */
export const eventsLost = percpuArray("events_lost", { value: u64, maxEntries: 1 });

/** The helpers that `tell` calls. */
export type EventHelper =
  | "getCurrentCgroupId"
  | "getCurrentPidTgid"
  | "getNetnsCookie"
  | "getSocketCookie"
  | "ktimeGetNs"
  | "ringbufOutput";

/**
 * Tells of the address that the context holds now, where the programs are built
 * to tell. What becomes of the call does not depend on whether it succeeds.
 * @param about asked only then: what is read for it is not in the bytecode otherwise
 */
export function tell(
  b: BuilderWith<EventHelper>,
  to: SocketAddress,
  { events: telling }: DataPathOptions,
  kind: EventKind,
  about: () => { readonly revNatIndex: Scalar<"u16">; readonly translated?: Endpoint },
): void {
  if (!telling) return;
  const { revNatIndex, translated } = about();
  const { context, protocol, address, port } = to;
  const event = b.zeroed(Event);
  event.time.set(b.ktimeGetNs());
  event.cookie.set(b.getSocketCookie(context));
  event.cgroupId.set(b.getCurrentCgroupId());
  event.netnsCookie.set(b.getNetnsCookie(context));
  event.pid.set(b.getCurrentPidTgid().shr(32).to(u32));
  event.protocol.set(protocol.to(u8));
  event.kind.set(kind);
  event.revNatIndex.set(revNatIndex);
  event.original.set(address);
  event.originalPort.set(port);
  if (translated !== undefined) {
    event.translated.set(translated.address);
    event.translatedPort.set(translated.port);
  }
  b.if(b.ringbufOutput(events, event).ne(0), () => {
    b.lookup(eventsLost, 0).ifFound((lost) => lost.value.set(lost.value.add(1)));
  });
}
