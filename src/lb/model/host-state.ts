/** The host as the load balancer knows it. */

/** A network namespace. */
export interface NetworkNamespace {
  /** The kernel's cookie for it, as bpf_get_netns_cookie returns it. */
  readonly cookie: bigint;
  /** Addresses of its interfaces and its loopback addresses, without IPv6 link-local ones. */
  readonly addresses: readonly string[];
}

/** A cgroup as programs identify it. */
export interface CgroupPlace {
  /** Inode number of its directory. */
  readonly id: bigint;
  /** Levels below the root of the hierarchy; 0 is the root. */
  readonly level: number;
}

/** The parts of the host that a desired state refers to, read once. */
export interface HostState {
  /** Cookie of the host's network namespace; undefined if nothing needs it. */
  readonly hostNetnsCookie: bigint | undefined;
  /** All visible network namespaces; empty if nothing needs them. */
  readonly namespaces: readonly NetworkNamespace[];
  /** Cgroups that are not balanced. */
  readonly optOutCgroups: readonly CgroupPlace[];
  /** Cookies of the network namespaces that are not balanced. */
  readonly optOutNamespaces: readonly bigint[];
}
