/** The options that programs are built for. Disabled ones add no bytecode. */
export interface DataPathOptions {
  /** The kernel has `bpf_set_retval` (Linux 5.18): a refused call gets the errno that says why, not EPERM. */
  readonly setRetval: boolean;
  /**
   * The kernel has atomic operations that return the old value (Linux 5.12):
   * threads that share a socket never write two flows to one place.
   */
  readonly atomicFetch: boolean;
  /**
   * Streams remember their service too, so that getpeername(2) names it. Replies
   * of a stream carry no address, so that nothing else needs it; without, a TCP
   * client that asks sees the backend that it is connected to.
   */
  readonly rememberStreams: boolean;
  /**
   * A datagram socket's recent flows have entries in the reverse map too, where
   * other tools look for them. If false, only older flows are there; the
   * programs need these.
   */
  readonly recentInReverseMap: boolean;
  /** Sockets of the IPv6 family are balanced too, to IPv6 addresses and to mapped IPv4 ones. */
  readonly ipv6: boolean;
  /** Some services keep their clients' backends: see `affinityTimeout`. */
  readonly affinity: boolean;
  /** Some services take a port of the host's own addresses: no process of its network namespace may bind it. */
  readonly nodePorts: boolean;
  /**
   * The place of `skc_ipv6only` in the kernel's `struct sock_common`, in bits
   * from its start. Undefined: not known, and a socket that binds `::` counts
   * as one that takes IPv4 calls too.
   */
  readonly ipv6OnlyBit: number | undefined;
  /** Some services have `ServiceFlag.CLOSE_SOCKETS`: sockets remember that they are connected through them. */
  readonly trackConnections: boolean;
  /** Calls are counted by service and outcome. */
  readonly metrics: boolean;
  /** Each translation is written to the `events` map, while a monitor listens. */
  readonly events: boolean;
  /**
   * The error of a call to a service without backends, on kernels with
   * `bpf_set_retval`. Default: ECONNREFUSED for streams, as from a closed port,
   * and EHOSTUNREACH for datagrams.
   */
  readonly noBackendErrno: number | undefined;
  /** Only sockets of the host's network namespace are balanced. */
  readonly hostNamespaceOnly: boolean;
  /** Some services have `ServiceFlag.HOST_NAMESPACE`. */
  readonly hostNamespaceServices: boolean;
  /** Cookie of the host's network namespace; if undefined, the programs ask for the initial one's. */
  readonly hostNetnsCookie: bigint | undefined;
  /** Some services have `ServiceFlag.MAGLEV`. */
  readonly maglev: boolean;
  /** Some services have `ServiceFlag.SKIP_SELF`. */
  readonly skipSelf: boolean;
  /** Sockets of some network namespaces are exempt. */
  readonly optOutNamespaces: boolean;
  /** Depths below the root of the hierarchy (0) of the cgroups that are exempt, each once. */
  readonly optOutCgroupLevels: readonly number[];
}

export const defaultOptions: DataPathOptions = {
  setRetval: true,
  atomicFetch: true,
  rememberStreams: false,
  recentInReverseMap: true,
  ipv6: false,
  affinity: false,
  nodePorts: false,
  ipv6OnlyBit: undefined,
  trackConnections: false,
  metrics: false,
  events: false,
  noBackendErrno: undefined,
  hostNamespaceOnly: false,
  hostNamespaceServices: false,
  hostNetnsCookie: 1n,
  maglev: false,
  skipSelf: false,
  optOutNamespaces: false,
  optOutCgroupLevels: [],
};
