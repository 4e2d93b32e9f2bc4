/**
 * The schema of the configuration file. Each message says what was expected;
 * `parseConfig` adds the place in the file and the value found there.
 */
import { isIPv4, isIPv6 } from "node:net";
import { z } from "zod";
import {
  backendStates,
  canonicalAddress,
  defaultMapSizes,
  EXPECTED_ADDRESS,
  isUnspecified,
  MAGLEV_TABLE_SIZES,
  MAX_NAME_BYTES,
  MAX_WEIGHT,
  ProtocolNumber,
  type Backend,
  type BackendStateName,
  type Endpoint,
  type Protocol,
} from "../../model/index.ts";

/** The largest size of a map: 16 Mi entries, Cilium's own limit for reverse entries. */
const MAX_MAP_ENTRIES = 1 << 24;

/** One day in seconds, the limit of Kubernetes' `sessionAffinityConfig`. */
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

/** The message of a mapping or list of another type. `parseConfig` reports unknown fields. */
function structure(expected: string) {
  return {
    error: (issue: { code?: string }) => (issue.code === "unrecognized_keys" ? undefined : `expected ${expected}`),
  };
}

/**
 * Whether a host can have this address and any socket can call it. Unspecified,
 * multicast, broadcast, IPv4-mapped and link-local addresses (which need an
 * interface) are not.
 */
function isUnicast(address: string): boolean {
  if (isIPv4(address)) {
    const first = Number(address.split(".")[0]);
    return address !== "0.0.0.0" && address !== "255.255.255.255" && (first < 224 || first >= 240);
  }
  return isIPv6(address) && !address.includes("%") && !/^(::$|ff|fe[89ab]|::ffff:.*\.)/.test(canonicalAddress(address));
}

/** Parses `"20.0.0.1:80"` or `"[2001:db8::1]:80"`; undefined for anything else. */
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

/** Kubernetes node names are DNS subdomains of at most 253 characters. */
const nodeName = check<string>(
  "a node's name of 1 to 253 characters without blanks",
  (value) => typeof value === "string" && /^[^\s\p{Cc}]{1,253}$/u.test(value),
);

const name = check<string>(
  `a name of 1 to ${MAX_NAME_BYTES} bytes without control characters`,
  (value) => typeof value === "string" && /^\P{Cc}+$/u.test(value) && Buffer.byteLength(value) <= MAX_NAME_BYTES,
);

const unicast = z
  .custom<string>((value) => typeof value === "string" && isUnicast(value), { error: EXPECTED_ADDRESS })
  .transform(canonicalAddress);

const hostAddress = z
  .custom<string>(
    (value) =>
      typeof value === "string" && (isUnicast(value) || ((isIPv4(value) || isIPv6(value)) && isUnspecified(value))),
    { error: EXPECTED_ADDRESS },
  )
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
    ({ address, weight = 1, state = "active", node }): Backend => ({
      ...address,
      weight,
      state,
      ...(node !== undefined && { node }),
    }),
  );

/** `parseConfig` reports a mapping by the second form, anything else by the first. */
export const backend = z.union([
  endpoint.transform((address): Backend => ({ ...address, weight: 1, state: "active" })),
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
    hostIP: hostAddress.optional(),
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

/** `Options` of the model, all optional. */
const options = z.strictObject(
  {
    ipv6: boolean.optional(),
    getpeername: oneOf("service", "backend").optional(),
    reverseEntries: oneOf("all", "older").optional(),
    hostNamespaceOnly: boolean.optional(),
    maglevTableSize: check<number>(`one of ${MAGLEV_TABLE_SIZES.join(", ")}`, (value) =>
      (MAGLEV_TABLE_SIZES as readonly unknown[]).includes(value),
    ).optional(),
    noBackend: oneOf("EHOSTUNREACH", "ECONNREFUSED").optional(),
    metrics: boolean.optional(),
  },
  structure("options, such as { ipv6: false }"),
);

/** `OptOut` of the model. Whether the cgroups and namespaces exist is checked when the file is loaded. */
const optOut = z.strictObject(
  {
    cgroups: z
      .array(
        check<string>("a cgroup's directory, such as system.slice or /sys/fs/cgroup/system.slice", isPath),
        structure("a list of cgroups' directories"),
      )
      .optional(),
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
  structure("opt-outs: cgroups, networkNamespaces"),
);

function isPath(value: unknown): value is string {
  return typeof value === "string" && value !== "" && !value.includes("\0");
}

const maps = z.strictObject(
  Object.fromEntries(Object.keys(defaultMapSizes).map((name) => [name, wholeNumber(1, MAX_MAP_ENTRIES).optional()])),
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

/** The fields of the mapping at `path`. */
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
