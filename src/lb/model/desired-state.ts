/** The desired state of a load balancer: its services and its settings. */
import { hostname } from "node:os";
import { defaultMapSizes, type MapSizes } from "./map-sizes.ts";
import type { Service } from "./service.ts";

/**
 * What a source yields: all services, and the settings it decides. Each state
 * replaces the one before it. Settings that are absent get their defaults.
 */
export interface SourceState {
  readonly services: readonly Service[];
  readonly node?: string | undefined;
  readonly optOut?: Partial<OptOut> | undefined;
  readonly options?: Partial<Options> | undefined;
  readonly maps?: MapSizes | undefined;
}

/** Services and settings, with every default filled in. */
export interface DesiredState extends Settings {
  readonly services: readonly Service[];
}

/** Everything but the services. */
export interface Settings {
  /** This node's name: backends with the same `node` are local. Default: the host name. */
  readonly node: string;
  readonly optOut: OptOut;
  readonly options: Options;
  readonly maps: MapSizes;
}

/** Sockets that are not balanced. Default: none. */
export interface OptOut {
  /** Cgroup directories, absolute or relative to the cgroup v2 mount: processes in them and below them. */
  readonly cgroups: readonly string[];
  /** Names as `ip netns` uses them, or absolute paths of files. */
  readonly networkNamespaces: readonly string[];
}

/** The choices that change the data path. */
export interface Options {
  /** Balance sockets of the IPv6 family, to IPv6 and to IPv4-mapped addresses. Default: true. */
  readonly ipv6: boolean;
  /** The peer that getpeername(2) reports to a TCP client. Default: `backend`. */
  readonly getpeername: "service" | "backend";
  /**
   * Which UDP flows have entries in the reverse maps: `all`, or the `older` ones beyond the socket's storage. Default:
   * `all`.
   */
  readonly reverseEntries: "all" | "older";
  /** Balance only sockets of the host's network namespace. Default: false. */
  readonly hostNamespaceOnly: boolean;
  /** Slots of each Maglev table: one of `MAGLEV_TABLE_SIZES`. Default: 1021. */
  readonly maglevTableSize: number;
  /** The errno of a call to a service without backends. Default: ECONNREFUSED over TCP, EHOSTUNREACH over UDP. */
  readonly noBackend?: "EHOSTUNREACH" | "ECONNREFUSED" | undefined;
  /** Count calls by service and outcome. Default: false. */
  readonly metrics: boolean;
}

const defaultOptions: Options = {
  ipv6: true,
  getpeername: "backend",
  reverseEntries: "all",
  hostNamespaceOnly: false,
  maglevTableSize: 1021,
  metrics: false,
};

/**
 * Fills in the defaults of absent settings.
 *
 * @example
 * ```ts
 * import { completeState } from "tsbpf/lb";
 *
 * const { options } = completeState({ services: [], options: { metrics: true } });
 * options.ipv6; // true, the default
 * ```
 */
export function completeState({ services, node = hostname(), optOut, options, maps }: SourceState): DesiredState {
  return {
    node,
    services,
    optOut: { cgroups: [], networkNamespaces: [], ...optOut },
    options: { ...defaultOptions, ...options },
    maps: { ...defaultMapSizes, ...maps },
  };
}
