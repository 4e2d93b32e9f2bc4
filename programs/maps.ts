/**
 * The load balancer's maps, shared by its programs and its control plane.
 *
 * A destination is translated by one hash lookup (services) and one array read
 * (slots). What a socket was given is remembered on the socket itself (flows),
 * and, for replies, in the reverse map under Cilium's own name and layout.
 *
 * Each address family has maps of its own, alike but for the address.
 */
import {
  array,
  arrayOf,
  be16,
  hash,
  ipv4,
  ipv6,
  lruHash,
  MapFlag,
  percpuHash,
  scalar,
  skStorage,
  struct,
  u16,
  u32,
  u64,
  u8,
  type IpAddressSchema,
} from "tsbpf";

/**
 * A range of slots in one number, to read both parts at once: index of the first in the low half, count in the high.
 */
const slotRange = scalar<"u64", { base: number; count: number }>("u64", {
  name: "slot_range",
  fromNumber: (value) => ({ base: Number(value & 0xffff_ffffn), count: Number(value >> 32n) }),
  toNumber: ({ base, count }) => (BigInt(count) << 32n) | BigInt(base),
});

/** The state of a backend. Only active ones have slots, unless all are terminating. */
export const BackendState = { ACTIVE: 0, TERMINATING: 1, QUARANTINED: 2, MAINTENANCE: 3 } as const;
export type BackendState = (typeof BackendState)[keyof typeof BackendState];

/** The clients that an entry of the services map serves. */
export const Scope = {
  /** Sockets that connect or send. */
  EVERYWHERE: 0,
  /** For bound sockets: the entry, under the unspecified address, takes its port on every address of the host. */
  NODE_PORT: 1,
} as const;

/** Bits of a service's `flags`. */
export const ServiceFlag = {
  /** A port of every address of this host. For people who look into the map; no program reads it. */
  NODE_PORT: 1,
  /** Sockets that are connected to a backend through it remember so, and are closed when it loses the backend. */
  CLOSE_SOCKETS: 2,
  /** Only sockets of the host's own network namespace find it: it is at the host's loopback address. */
  HOST_NAMESPACE: 4,
  /** A backend that asks for its own service is exempt: see `skip`. */
  SKIP_SELF: 8,
  /** The slots are a Maglev table, and the client's source chooses among them. */
  MAGLEV: 16,
  /** Only backends of this node. For people who look into the map, like the next two. */
  LOCAL_SCOPE: 32,
  /** It takes the place of an address that exists, for as long as this node has a backend. */
  LOCAL_REDIRECT: 64,
  /**
   * It is a port of one or all of the host's addresses, for a container's. It
   * blocks no bind(2), as in Kubernetes: the host's own processes may use the port
   * on other addresses, and may serve clients without a balanced socket.
   */
  HOST_PORT: 128,
} as const;

/** The number of flows that a socket keeps whole, the most recently used. A power of two. */
export const RECENT_FLOWS = 4;

/** How many backends of older flows a socket names. A power of two. With more, the one named first gives way. */
export const OLDER_FLOWS = 256;

/**
 * How a filter spreads addresses and ports over its words of 64 bits: see
 * address-filter.ts. The upper part of an address selects a group of eight words.
 */
export interface FilterShape {
  /** The filter has 2 to this power groups. */
  readonly groupBits: number;
  /** Low bits of an IPv4 address that do not choose the group. For IPv6 the first 64 bits choose it. */
  readonly network: number;
  /** Low bits of an address that nothing depends on. */
  readonly host: number;
  /** Odd; spreads the upper part of an IPv4 address over the groups. */
  readonly factor: number;
}

/** The service filter: 8 KB. Services lie next to each other, so that those of a /24 share bits. */
export const serviceFilterShape: FilterShape = { groupBits: 7, network: 16, host: 8, factor: 0x9e37_79b1 };

/** Words of a filter. */
export const filterSize = ({ groupBits }: FilterShape): number => 8 << groupBits;

/** A word of the filter and, in its lower six bits, the number of a bit there. */
export interface FilterPlace<Word, Bit> {
  readonly word: Word;
  readonly bit: Bit;
}

/**
 * 2^64 divided by the golden ratio, made odd (Knuth, The Art of Computer
 * Programming, volume 3, section 6.4): the upper bits of a product depend on
 * every bit of the other factor.
 */
export const FILTER_FACTOR = 0x9e37_79b9_7f4a_7c15n;

/** The shift of the port, into the upper bits of the last half of an IPv6 address. */
export const FILTER_PORT_SHIFT_IPV6 = 48;

/** The index of counters for calls without a service. */
export const NO_SERVICE = 0;

/** A service's calls by outcome. */
export const Counters = struct("lb_counters", {
  /** Connects and datagrams sent to a backend. */
  translated: u64,
  /** Connects and datagrams refused because the service has no backend. */
  noBackend: u64,
  /** Connects and datagrams of exempt sockets, which pass through. */
  leftAlone: u64,
  /** Connects and datagrams refused because another service took the element during each read. */
  tornValues: u64,
  /** Replies and peers that the process saw as the service. */
  replies: u64,
  /** Flows whose service was gone or replaced when a reply came. */
  reverseMisses: u64,
  /** Connects and datagrams refused because no memory or map had room for what translates their replies. */
  notRemembered: u64,
  /** Older flows dropped because their socket talks to more backends than it can name. */
  olderFlowsDropped: u64,
  /** Reverse entries that could not be written. */
  reverseUpdateFailed: u64,
  /** Reverse entries that a full map had evicted before their socket was closed. */
  reverseEvicted: u64,
  /** Clients whose backend could not be kept. */
  affinityUpdateFailed: u64,
  /** Connections that could not be noted: they stay open when their backend goes. */
  connectionUpdateFailed: u64,
});
export type Counters = typeof Counters;

/** The maps of one address family. */
function mapsOf(
  address: IpAddressSchema,
  family: { prefix: "lb4" | "lb6"; suffix: "" | "6"; reverse: "ipv4" | "ipv6" },
) {
  const { prefix, suffix, reverse } = family;

  /** A service's front end. */
  const ServiceKey = struct(`${prefix}_service_key`, {
    address,
    port: be16,
    /** IP protocol number: 6 TCP, 17 UDP. */
    protocol: u8,
    /** `Scope`. */
    scope: u8,
  });

  /**
   * Where a service's backends are.
   *
   * The kernel uses a replaced element again at once, for any key. A program
   * that is held up between finding it and reading it would see another
   * service. So the value names its key: it lies first, is written first, and
   * is compared last.
   */
  const Service = struct(`${prefix}_service`, {
    key: ServiceKey,
    /** Names the service in reverse entries and counters; never 0. */
    revNatIndex: u16,
    /** `ServiceFlag`s. */
    flags: u16,
    /** Seconds for which a client keeps its backend; 0: it does not. */
    affinityTimeout: u32,
    /** The slots of backends for new flows. None refuses the connection. */
    range: slotRange,
  });

  /** One backend in a service's range of slots. */
  const Slot = struct(`${prefix}_slot`, { address, port: be16, state: u16 });

  /** A socket and the backend that it talks to. */
  const ReverseKey = struct(`${reverse}_revnat_tuple`, { cookie: u64, address, port: be16 });

  /** The service that the socket asked for. */
  const ReverseEntry = struct(`${reverse}_revnat_entry`, { address, port: be16, revNatIndex: u16 });

  /** A service and the backend that a socket was given for it. */
  const Flow = struct(`${prefix}_flow`, {
    serviceAddress: address,
    backendAddress: address,
    servicePort: be16,
    backendPort: be16,
    /** The generation in which this was last found true. */
    generation: u32,
    /** 0: this flow is not in use. */
    revNatIndex: u16,
  });

  /** A backend as one of a service. */
  const BackendKey = struct(`${prefix}_backend_key`, { address, port: be16, revNatIndex: u16 });

  /** A client of a service with session affinity. */
  const AffinityKey = struct(`${prefix}_affinity_key`, { netnsCookie: u64, revNatIndex: u16 });
  const Affinity = struct(`${prefix}_affinity`, { lastUsed: u64, address, port: be16 });

  /** A network namespace for which a service's address is exempt: its own backend's. */
  const SkipKey = struct(`${prefix}_skip_key`, { netnsCookie: u64, address, port: be16 });

  /** The backend that a socket is connected to, the service that gave it, and where the socket is to be found. */
  const Connection = struct(`${prefix}_connection`, {
    netnsCookie: u64,
    address,
    port: be16,
    revNatIndex: u16,
    protocol: u8,
  });

  /** A backend by itself. */
  const Backend = struct(`${prefix}_backend`, { address, port: be16 });

  /** A socket's name for the backend of an older flow: a number below `OLDER_FLOWS`. */
  const FlowNameKey = struct(`${prefix}_flow_name_key`, { cookie: u64, number: u32 });

  /**
   * What a socket remembers. With `flow_names` it names all its entries in the reverse map, for deletion at close.
   */
  const SocketFlows = struct(`${prefix}_socket_flows`, {
    /** 0: no flow has ever had an entry in the reverse map. It lies first, beside what the kernel reads itself. */
    entered: u32,
    /** The number of recent flows ever written: the next one goes to this index, modulo `RECENT_FLOWS`. */
    recentCount: u32,
    /** Likewise of the names of older ones; 0 as long as there are none. */
    olderCount: u32,
    /** What the last connect(2) chose. Without `revNatIndex`, the address that it named itself. */
    peer: Flow,
    recent: arrayOf(Flow, RECENT_FLOWS),
  });

  return {
    services: hash(`services${suffix}`, { key: ServiceKey, value: Service, maxEntries: 65_536 }),
    /** A set bit for each service: without it no program looks for one. */
    serviceFilter: array(`service_filter${suffix}`, { value: u64, maxEntries: filterSize(serviceFilterShape) }),
    slots: array(`slots${suffix}`, { value: Slot, maxEntries: 262_144 }),
    /** Every service's backends that a flow may stay with, whatever their slots: active and terminating ones. */
    backends: hash(`backends${suffix}`, {
      key: BackendKey,
      value: u32,
      maxEntries: 262_144,
      flags: MapFlag.NO_PREALLOC,
    }),
    /** See `ServiceFlag.SKIP_SELF`. */
    skip: hash(`skip_${prefix}`, { key: SkipKey, value: u8, maxEntries: 65_536, flags: MapFlag.NO_PREALLOC }),
    affinity: lruHash(`affinity${suffix}`, { key: AffinityKey, value: Affinity, maxEntries: 65_536 }),
    reverseSk: lruHash(`cilium_${prefix}_reverse_sk`, { key: ReverseKey, value: ReverseEntry, maxEntries: 262_144 }),
    flows: skStorage(`flows${suffix}`, { value: SocketFlows }),
    /** Backends of the flows that sockets have in the reverse map alone, by number. Few sockets have any. */
    flowNames: hash(`flow_names${suffix}`, {
      key: FlowNameKey,
      value: Backend,
      maxEntries: 262_144,
      flags: MapFlag.NO_PREALLOC,
    }),
    /** The number of each backend in `flow_names`. */
    flowNumbers: hash(`flow_numbers${suffix}`, {
      key: ReverseKey,
      value: u32,
      maxEntries: 262_144,
      flags: MapFlag.NO_PREALLOC,
    }),
    /** By cookie, open sockets to close when the service loses the backend: see `ServiceFlag.CLOSE_SOCKETS`. */
    connections: hash(`connections${suffix}`, {
      key: u64,
      value: Connection,
      maxEntries: 262_144,
      flags: MapFlag.NO_PREALLOC,
    }),
    /**
     * Counters by `revNatIndex`, for each CPU. The control plane makes and
     * deletes the elements with the services, so that memory is taken for those
     * that exist; 0 is for what no service can be named for.
     */
    metrics: percpuHash(`metrics${suffix}`, {
      key: u32,
      value: Counters,
      maxEntries: 65_536,
      flags: MapFlag.NO_PREALLOC,
    }),
  };
}

export const maps4 = mapsOf(ipv4, { prefix: "lb4", suffix: "", reverse: "ipv4" });
export const maps6 = mapsOf(ipv6, { prefix: "lb6", suffix: "6", reverse: "ipv6" });

/** The maps of an address family, and what they hold. */
export type Maps = typeof maps4;
export type Service = Maps["services"]["value"];
export type Slot = Maps["slots"]["value"];
export type SocketFlows = Maps["flows"]["value"];
export type Flow = SocketFlows["fields"]["recent"]["element"];

export const { services, serviceFilter, slots, backends, affinity, reverseSk, flows, flowNames, flowNumbers } = maps4;

/** 1 where the socket may be in a `connections` map: the others' end and reconnecting cost no search there. */
export const connected = skStorage("connected", { value: u32 });

/** Element 0 is bumped after every change of services: flows of an earlier generation are checked again. */
export const generation = array("generation", { value: u32, maxEntries: 1 });

/** Cookies of network namespaces whose sockets are exempt. */
export const optOutNamespaces = hash("opt_out_netns", {
  key: u64,
  value: u8,
  maxEntries: 65_536,
  flags: MapFlag.NO_PREALLOC,
});

/** Ids of cgroups whose processes are exempt, those of the cgroups below them included. */
export const optOutCgroups = hash("opt_out_cgroups", {
  key: u64,
  value: u8,
  maxEntries: 65_536,
  flags: MapFlag.NO_PREALLOC,
});

/**
 * What a network namespace chooses by where a service has a Maglev table: a
 * number that is spread evenly over 32 bits and the same on every node for the
 * same source address. One that is not here chooses by its cookie.
 */
export const sources = hash("sources", { key: u64, value: u32, maxEntries: 65_536, flags: MapFlag.NO_PREALLOC });
