/**
 * The form of the configuration file. Every message says what was expected;
 * where in the file, and what stood there instead, is added by `parseConfig`.
 */
import { isIPv4 } from "node:net";
import { z } from "zod";
import { MAX_NAME_BYTES, type Endpoint, type Protocol } from "../service.ts";

/** Entries of the largest map that can be asked for: 16 Mi, the field's own limit for reverse entries. */
const MAX_MAP_ENTRIES = 1 << 24;

function check<T>(expected: string, accepts: (value: unknown) => boolean) {
  return z.custom<T>(accepts, { error: `expected ${expected}` });
}

function wholeNumber(min: number, max: number) {
  return check<number>(`a whole number from ${min} to ${max}`, (value) => Number.isInteger(value) && (value as number) >= min && (value as number) <= max);
}

/** A structure's own message, leaving the list of unknown fields to `parseConfig`. */
function structure(expected: string) {
  return { error: (issue: { code?: string }) => (issue.code === "unrecognized_keys" ? undefined : `expected ${expected}`) };
}

/** An address that one host can have: not 0.0.0.0, multicast or broadcast. */
function isUnicast(address: string): boolean {
  const first = Number(address.split(".")[0]);
  return isIPv4(address) && address !== "0.0.0.0" && address !== "255.255.255.255" && (first < 224 || first >= 240);
}

/** `"20.0.0.1:80"`, or undefined where it is nothing of the kind. */
function parseEndpoint(value: unknown): Endpoint | undefined {
  const [, address, digits] = (typeof value === "string" && /^([^:]+):(\d{1,5})$/.exec(value)) || [];
  const port = Number(digits);
  return address !== undefined && isUnicast(address) && port >= 1 && port <= 65535 ? { address, port } : undefined;
}

const name = check<string>(
  `a name of 1 to ${MAX_NAME_BYTES} bytes without control characters`,
  (value) => typeof value === "string" && /^\P{Cc}+$/u.test(value) && Buffer.byteLength(value) <= MAX_NAME_BYTES,
);

const backend = check<string>(
  'a backend such as "20.0.0.1:80" (IPv4 unicast address, port 1 to 65535)',
  (value) => parseEndpoint(value) !== undefined,
).transform((value) => parseEndpoint(value)!);

const service = z.strictObject({
  name,
  address: check<string>("an IPv4 unicast address such as 100.0.0.1", (value) => typeof value === "string" && isUnicast(value)),
  port: wholeNumber(1, 65535),
  protocol: check<Protocol>("tcp or udp", (value) => value === "tcp" || value === "udp"),
  backends: z.array(backend, structure("a list of backends, [] for none")),
}, structure("a service: name, address, port, protocol, backends"));

const maps = z.strictObject({
  services: wholeNumber(1, MAX_MAP_ENTRIES).optional(),
  slots: wholeNumber(1, MAX_MAP_ENTRIES).optional(),
  backends: wholeNumber(1, MAX_MAP_ENTRIES).optional(),
  cilium_lb4_reverse_sk: wholeNumber(1, MAX_MAP_ENTRIES).optional(),
}, structure("sizes of maps, by their names"));

export const configSchema = z.strictObject({
  services: z.array(service, structure("a list of services, [] for none")),
  maps: maps.optional(),
}, structure("a mapping with the field services"));

/** The fields that a mapping at `path` of the file may have. */
export function knownFields(path: readonly PropertyKey[]): readonly string[] {
  if (path.length === 0) return Object.keys(configSchema.shape);
  return Object.keys(path[0] === "maps" ? maps.shape : service.shape);
}
