/**
 * An event for each translation, written while somebody listens: programs that
 * write events then take the place of those that do not.
 */
import { be16, ipv6, percpuArray, ringbuf, struct, u16, u32, u64, u8 } from "tsbpf";
import type { Features, Moment } from "./call.ts";

/** The contents of an event. */
export const EventKind = {
  /** A socket asks for a service. `POST_FORWARD` follows unless the call is refused. */
  PRE_FORWARD: 1,
  /** The socket is sent to a backend. */
  POST_FORWARD: 2,
  /** A backend answered, or getpeername(2) names one. `POST_REVERSE` follows unless the service is gone. */
  PRE_REVERSE: 3,
  /** The process sees the service. */
  POST_REVERSE: 4,
} as const satisfies Readonly<Record<Moment, number>>;
export type EventKind = (typeof EventKind)[Moment];

export const Event = struct("lb_event", {
  /** Nanoseconds since boot (CLOCK_MONOTONIC). */
  time: u64,
  /** The socket's cookie, as SO_COOKIE gives it. */
  cookie: u64,
  /** The calling process's cgroup: its directory's inode number. */
  cgroupId: u64,
  /** The socket's network namespace, as SO_NETNS_COOKIE gives it. */
  netnsCookie: u64,
  /** The address that the process named or the packet came from; an IPv4 address in its mapped form. */
  original: ipv6,
  /** The address in its place; zero before a translation. */
  translated: ipv6,
  /** The calling process. */
  pid: u32,
  originalPort: be16,
  translatedPort: be16,
  /** Names the service, among those of its family. */
  revNatIndex: u16,
  /** Low byte of the IP protocol number; MPTCP (262) shares TCP's. */
  protocol: u8,
  /** `EventKind`. */
  kind: u8,
});

/** Each translation, while somebody listens. One reader at a time. */
export const events = ringbuf("events", { value: Event, maxEntries: 1 << 20 });

/** Events that found no room in the ring buffer, for each CPU. */
export const eventsLost = percpuArray("events_lost", { value: u64, maxEntries: 1 });

export const eventsOfCalls: NonNullable<Features["events"]> = {
  /** Writes the event with the address that the context holds now. The call goes on where that fails. */
  emit(call, moment, about) {
    const { revNatIndex, translated } = about();
    const { b, protocol, address, port } = call;
    const event = b.zeroed(Event);
    event.time.set(b.ktimeGetNs());
    event.cookie.set(call.cookie());
    event.cgroupId.set(b.getCurrentCgroupId());
    event.netnsCookie.set(call.netnsCookie());
    event.pid.set(b.getCurrentPidTgid().shr(32).to(u32));
    event.protocol.set(protocol.to(u8));
    event.kind.set(EventKind[moment]);
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
  },
};
