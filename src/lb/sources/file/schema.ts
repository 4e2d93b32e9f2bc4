/**
 * The form of the configuration file. Every message says what was expected;
 * where in the file, and what stood there instead, is added by `parseConfig`.
 */
import { isIPv4, isIPv6 } from "node:net";
import { z } from "zod";
import { MAGLEV_TABLE_SIZES } from "../../plan/index.ts";
import { familyMaps } from "../../apply/maps.ts";
import type { BackendConfig } from "../../model/front-ends.ts";
import {
  backendStates,
  canonicalAddress,
  MAX_NAME_BYTES,
  MAX_WEIGHT,
  ProtocolNumber,
  type BackendStateName,
  type Endpoint,
  type Protocol,
} from "../../model/service.ts";

/** Entries of the largest map that can be asked for: 16 Mi, the field's own limit for reverse entries. */
const MAX_MAP_ENTRIES = 1 << 24;

/** Seconds: a day, as Kubernetes' `sessionAffinityConfig` has it. */
const MAX_AFFINITY_TIMEOUT = 86_400;

function check<T>(expected: string, accepts: (value: unknown) => boolean) {
  return z.custom<T>(accepts, { error: `expected ${expected}` });
}

function wholeNumber(min: number, max: number) {
  return check<number>(
    `a whole number from ${min} to ${max}`,
    (value) => Number.isInteger(value) && (value as number) >= min && (value as number) <= max,
  );
}

function oneOf<T extends string>(...choices: readonly T[]) {
  const expected = choices.length === 2 ? choices.join(" or ") : `one of ${choices.join(", ")}`;
  return check<T>(expected, (value) => (choices as readonly unknown[]).includes(value));
}

/** A structure's own message, leaving the list of unknown fields to `parseConfig`. */
function structure(expected: string) {
  return {
    error: (issue: { code?: string }) => (issue.code === "unrecognized_keys" ? undefined : `expected ${expected}`),
  };
}

/**
 * An address that one host can have and any socket name: not unspecified,
 * multicast or broadcast, not link-local (which needs an interface beside it),
 * and not an IPv4 address in IPv6's mapped form.
 */
function isUnicast(address: string): boolean {
  if (isIPv4(address)) {
    const first = Number(address.split(".")[0]);
    return address !== "0.0.0.0" && address !== "255.255.255.255" && (first < 224 || first >= 240);
  }
  return isIPv6(address) && !address.includes("%") && !/^(::$|ff|fe[89ab]|::ffff:.*\.)/.test(canonicalAddress(address));
}

/** `"20.0.0.1:80"` or `"[2001:db8::1]:80"`; undefined where it is nothing of the kind. */
function parseEndpoint(value: unknown): Endpoint | undefined {
  const [, v4, v6, digits] =
    (typeof value === "string" && /^(?:([^:[\]]+)|\[([^[\]]+)\]):(\d{1,5})$/.exec(value)) || [];
  const address = v4 ?? v6;
  const port = Number(digits);
  if (
    address === undefined ||
    isIPv4(address) === (v4 === undefined) ||
    !isUnicast(address) ||
    port < 1 ||
    port > 65535
  )
    return undefined;
  return { address: canonicalAddress(address), port };
}

/** Kubernetes' names of nodes are DNS subdomains, at most 253 characters. */
const nodeName = check<string>(
  "a node's name of 1 to 253 characters without blanks",
  (value) => typeof value === "string" && /^[^\s\p{Cc}]{1,253}$/u.test(value),
);

const name = check<string>(
  `a name of 1 to ${MAX_NAME_BYTES} bytes without control characters`,
  (value) => typeof value === "string" && /^\P{Cc}+$/u.test(value) && Buffer.byteLength(value) <= MAX_NAME_BYTES,
);

/** Also said where a service names no address at all. */
export const EXPECTED_ADDRESS = "expected an IPv4 or IPv6 unicast address such as 100.0.0.1 or fd00::1";
export const EXPECTED_PORT = "expected a whole number from 1 to 65535";

const unicast = z
  .custom<string>((value) => typeof value === "string" && isUnicast(value), { error: EXPECTED_ADDRESS })
  .transform(canonicalAddress);

const endpoint = check<string>(
  'a backend such as "20.0.0.1:80" or "[fd00::1]:80" (unicast address, port 1 to 65535)',
  (value) => parseEndpoint(value) !== undefined,
).transform((value) => parseEndpoint(value)!);

const detailedBackend = z
  .strictObject({
    address: endpoint,
    weight: wholeNumber(1, MAX_WEIGHT).optional(),
    state: oneOf(...(Object.keys(backendStates) as BackendStateName[])).optional(),
    node: nodeName.optional(),
  })
  .transform(
    ({ address, weight = 1, state = "active", node }): BackendConfig => ({
      ...address,
      weight,
      state,
      ...(node !== undefined && { node }),
    }),
  );

/** `parseConfig` tells of a mapping what is wrong with it as the second, of all else as the first. */
export const backend = z.union([
  endpoint.transform((address): BackendConfig => ({ ...address, weight: 1, state: "active" })),
  detailedBackend,
]);

const affinity = z.strictObject(
  { timeout: wholeNumber(1, MAX_AFFINITY_TIMEOUT) },
  structure("session affinity, such as { timeout: 10800 } (seconds)"),
);

const boolean = check<boolean>("true or false", (value) => typeof value === "boolean");

const trafficPolicy = oneOf("cluster", "local").optional();

const service = z.strictObject(
  {
    name,
    address: unicast.optional(),
    port: wholeNumber(1, 65535).optional(),
    protocol: oneOf(...(Object.keys(ProtocolNumber) as Protocol[])),
    nodePort: wholeNumber(1, 65535).optional(),
    hostPort: wholeNumber(1, 65535).optional(),
    hostIP: unicast.optional(),
    externalAddresses: z.array(unicast, structure("a list of addresses of this host")).optional(),
    internalTrafficPolicy: trafficPolicy,
    externalTrafficPolicy: trafficPolicy,
    localRedirect: boolean.optional(),
    backends: z.array(backend, structure("a list of backends, [] for none")),
    algorithm: oneOf("random", "maglev").optional(),
    affinity: affinity.optional(),
    closeSockets: boolean.optional(),
    skipSelf: boolean.optional(),
  },
  structure("a service: name, address, port, protocol, backends"),
);

/** What people choose about the data path. */
const options = z.strictObject(
  {
    /** Whether sockets of the IPv6 family are balanced. */
    ipv6: boolean.optional(),
    /** What getpeername(2) tells a TCP client. */
    getpeername: oneOf("service", "backend").optional(),
    /** Which flows of UDP sockets have entries in the reverse maps. */
    reverseEntries: oneOf("all", "older").optional(),
    /** Only sockets of the host's network namespace are balanced. */
    hostNamespaceOnly: boolean.optional(),
    /** Slots of a service whose algorithm is maglev. */
    maglevTableSize: check<number>(`one of ${MAGLEV_TABLE_SIZES.join(", ")}`, (value) =>
      (MAGLEV_TABLE_SIZES as readonly unknown[]).includes(value),
    ).optional(),
    /** What a call to a service without backends fails with. */
    noBackend: oneOf("EHOSTUNREACH", "ECONNREFUSED").optional(),
    /** Whether calls are counted by service. */
    metrics: boolean.optional(),
  },
  structure("options, such as { ipv6: false }"),
);

/** Who is left alone, found out when the file is loaded. */
const optOut = z.strictObject(
  {
    /** Below where cgroup v2 is mounted, or absolute. */
    cgroups: z
      .array(
        check<string>("a cgroup's directory, such as system.slice or /sys/fs/cgroup/system.slice", isPath),
        structure("a list of cgroups' directories"),
      )
      .optional(),
    /** Names, as `ip netns` has them, or files. */
    networkNamespaces: z
      .array(
        check<string>(
          "a network namespace: a name as ip netns has it, or a file such as /proc/1/ns/net",
          (value) => isPath(value) && (value.startsWith("/") || /^(?!\.{1,2}$)[^/]+$/.test(value)),
        ),
        structure("a list of network namespaces"),
      )
      .optional(),
  },
  structure("who is left alone: cgroups, networkNamespaces"),
);

function isPath(value: unknown): value is string {
  return typeof value === "string" && value !== "" && !value.includes("\0");
}

/** The maps whose size can be chosen. */
const sizedMaps = [familyMaps.ipv4, familyMaps.ipv6].flatMap(
  ({ services, slots, backends, affinity, connections, reverseSk }) => [
    services,
    slots,
    backends,
    affinity,
    connections,
    reverseSk,
  ],
);

/** Entries of the maps whose size can be chosen, by the maps' names. */
export type MapSizes = Readonly<Record<string, number>>;

export const defaultMapSizes: MapSizes = Object.fromEntries(
  sizedMaps.map(({ name, maxEntries }) => [name, maxEntries]),
);

const maps = z.strictObject(
  Object.fromEntries(sizedMaps.map(({ name }) => [name, wholeNumber(1, MAX_MAP_ENTRIES).optional()])),
  structure("sizes of maps, by their names"),
);

export const configSchema = z.strictObject(
  {
    node: nodeName.optional(),
    services: z.array(service, structure("a list of services, [] for none")),
    optOut: optOut.optional(),
    options: options.optional(),
    maps: maps.optional(),
  },
  structure("a mapping with the field services"),
);

/** The fields that a mapping at `path` of the file may have. */
export function knownFields(path: readonly PropertyKey[]): readonly string[] {
  const [top, , field] = path;
  if (top === undefined) return Object.keys(configSchema.shape);
  if (top === "maps") return Object.keys(maps.shape);
  if (top === "options") return Object.keys(options.shape);
  if (top === "optOut") return Object.keys(optOut.shape);
  if (field === "backends") return Object.keys(detailedBackend.in.shape);
  if (field === "affinity") return Object.keys(affinity.shape);
  return Object.keys(service.shape);
}
