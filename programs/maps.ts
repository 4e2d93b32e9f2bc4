/**
 * The load balancer's maps, shared by its programs and its control plane.
 *
 * A destination is translated by one hash lookup (services) and one array read
 * (slots). What a socket was given is remembered on the socket itself (flows),
 * and, for replies, in the reverse map under Cilium's own name and layout.
 */
import {
  array, arrayOf, be16, hash, ipv4, lruHash, skStorage, struct, u16, u32, u64, u8,
} from "../src/types/index.ts";

/** A service's front end. */
export const ServiceKey = struct("lb4_service_key", {
  address: ipv4,
  port: be16,
  /** IP protocol number: 6 TCP, 17 UDP. */
  protocol: u8,
  /** 0: everybody's. Other scopes are reserved for traffic policies. */
  scope: u8,
});

/** Where a service's backends are. Replaced in one write, so that `base` and `count` always belong together. */
export const Service = struct("lb4_service", {
  /** Index of the first slot. */
  base: u32,
  /** How many slots; 0 refuses the connection. */
  count: u32,
  /** Names the service in reverse entries and counters; never 0. */
  revNatIndex: u16,
  flags: u16,
  /** Seconds; 0 where sessions have no affinity. */
  affinityTimeout: u32,
});

/** One backend in a service's range of slots. */
export const Slot = struct("lb4_slot", {
  address: ipv4,
  port: be16,
  state: u16,
});

/** A socket and the backend that it talks to. */
export const ReverseKey = struct("ipv4_revnat_tuple", {
  cookie: u64,
  address: ipv4,
  port: be16,
});

/** The service that the socket asked for. */
export const ReverseEntry = struct("ipv4_revnat_entry", {
  address: ipv4,
  port: be16,
  revNatIndex: u16,
});

/** A service and the backend that a socket was given for it. */
export const Flow = struct("lb4_flow", {
  serviceAddress: ipv4,
  backendAddress: ipv4,
  servicePort: be16,
  backendPort: be16,
  /** The service's first slot when the backend was chosen: any change of the service gives it others. */
  base: u32,
  /** The generation in which this was last found true. */
  generation: u32,
  /** 0: this flow is not in use. */
  revNatIndex: u16,
});

/** A backend of an older flow, by which its reverse entry is found again. */
export const Peer = struct("lb4_peer", { address: ipv4, port: be16 });

/** How many flows a socket keeps whole: those it used last. A power of two. */
export const RECENT_FLOWS = 4;

/** How many older flows of a socket stay in the reverse map. A power of two. With more, the oldest gives way. */
export const OLDER_FLOWS = 32;

/** What a socket remembers. It names every entry of the socket in the reverse map, so that closing it leaves none. */
export const SocketFlows = struct("lb4_socket_flows", {
  recent: arrayOf(Flow, RECENT_FLOWS),
  /** How many flows were ever written: the next one goes to this index, modulo `RECENT_FLOWS`. */
  recentCount: u32,
  /** Likewise for `older`; 0 as long as there are none. */
  olderCount: u32,
  older: arrayOf(Peer, OLDER_FLOWS),
});

export const services = hash("services", { key: ServiceKey, value: Service, maxEntries: 65_536 });

export const slots = array("slots", { value: Slot, maxEntries: 262_144 });

export const reverseSk = lruHash("cilium_lb4_reverse_sk", { key: ReverseKey, value: ReverseEntry, maxEntries: 262_144 });

export const flows = skStorage("flows", { value: SocketFlows });

/** Element 0 is bumped after every change of services: flows of an earlier generation are checked again. */
export const generation = array("generation", { value: u32, maxEntries: 1 });
