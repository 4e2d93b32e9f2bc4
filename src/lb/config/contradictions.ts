import { MAX_SLOTS_PER_SERVICE, slotsNeeded } from "../backend-slots.ts";
import { backendsOfNode, localScopes, serviceFamily, type BackendConfig, type ServiceConfig } from "../front-ends.ts";
import { familyMaps } from "../maps.ts";
import { endpointText, familyOf, MAX_SERVICES, type AddressFamily } from "../service.ts";
import type { Config } from "./config.ts";
import type { Path, SourceDocument } from "./document.ts";
import { fieldText, problemAt, type ConfigProblem } from "./problem.ts";
import { backend as backendSchema, configSchema, EXPECTED_ADDRESS, EXPECTED_PORT } from "./schema.ts";

/** The parts of a service that are right in themselves. */
interface SoundParts extends Pick<ServiceConfig, "address" | "port" | "nodePort" | "hostPort" | "hostIP" | "internalTrafficPolicy" | "externalTrafficPolicy" | "localRedirect" | "algorithm"> {
  readonly name?: string | undefined;
  readonly protocol?: string | undefined;
  readonly externalAddresses?: readonly (string | undefined)[] | undefined;
  readonly backends: readonly (BackendConfig | undefined)[];
}

function soundParts(entry: Record<string, unknown>): SoundParts {
  const { shape } = configSchema.shape.services.element;
  const listOf = <T>(value: unknown, sound: (item: unknown) => T | undefined): readonly (T | undefined)[] => (Array.isArray(value) ? value.map(sound) : []);
  return {
    name: shape.name.safeParse(entry["name"]).data,
    address: shape.address.safeParse(entry["address"]).data,
    port: shape.port.safeParse(entry["port"]).data,
    protocol: shape.protocol.safeParse(entry["protocol"]).data,
    nodePort: shape.nodePort.safeParse(entry["nodePort"]).data,
    hostPort: shape.hostPort.safeParse(entry["hostPort"]).data,
    hostIP: shape.hostIP.safeParse(entry["hostIP"]).data,
    internalTrafficPolicy: shape.internalTrafficPolicy.safeParse(entry["internalTrafficPolicy"]).data,
    externalTrafficPolicy: shape.externalTrafficPolicy.safeParse(entry["externalTrafficPolicy"]).data,
    localRedirect: shape.localRedirect.safeParse(entry["localRedirect"]).data,
    algorithm: shape.algorithm.safeParse(entry["algorithm"]).data,
    externalAddresses: listOf(entry["externalAddresses"], (item) => shape.address.safeParse(item).data),
    backends: listOf(entry["backends"], (item): BackendConfig | undefined => backendSchema.safeParse(item).data),
  };
}

const familyName: Readonly<Record<AddressFamily, string>> = { ipv4: "IPv4", ipv6: "IPv6" };

/**
 * What is wrong between the parts, looked for among those that are right in themselves.
 * @param parsed the whole, where all of it is right in itself
 */
export function contradictions(
  document: SourceDocument, parsed: { readonly services: readonly SoundParts[] } | undefined,
  { node, options: { ipv6, maglevTableSize }, maps: sizes }: Pick<Config, "node" | "options" | "maps">,
): ConfigProblem[] {
  const root = document.value as { services?: unknown } | null;
  if (!Array.isArray(root?.services)) return [];
  const problems: ConfigProblem[] = [];
  const say = (path: Path, message: string) => problems.push(problemAt(document, path, message));
  /** Remembers where a value first stood; gives that place when it comes again. */
  const firstPlaces = () => {
    const places = new Map<string, Path>();
    return (value: string, path: Path): Path | undefined => {
      const first = places.get(value);
      if (first === undefined) places.set(value, path);
      return first;
    };
  };
  const at = (path: Path) => `${fieldText(path)} (line ${document.positionOf(path).line})`;

  const names = firstPlaces();
  const frontEnds = firstPlaces();
  const count = { ipv4: { services: 0, slots: 0 }, ipv6: { services: 0, slots: 0 } };
  root.services.forEach((entry: unknown, index) => {
    const path = ["services", index];
    if (typeof entry !== "object" || entry === null || Array.isArray(entry)) return;
    const has = (field: string) => (entry as Record<string, unknown>)[field] !== undefined;
    const entryParts = parsed?.services[index] ?? soundParts(entry as Record<string, unknown>);
    const { name, address, port, protocol, nodePort, hostPort, hostIP, externalAddresses = [], backends, algorithm } = entryParts;
    const ofHost = has("nodePort") || has("hostPort");
    if (!has("address") && !ofHost && !has("externalAddresses")) say([...path, "address"], `${EXPECTED_ADDRESS}, but it is missing`);
    if (!has("port") && (has("address") || has("externalAddresses") || !ofHost)) say([...path, "port"], `${EXPECTED_PORT}, but it is missing`);
    if (!has("hostPort") && has("hostIP")) say([...path, "hostPort"], `${EXPECTED_PORT}, but it is missing`);
    if (entryParts.localRedirect === true) {
      for (const field of ["nodePort", "hostPort", "externalAddresses", "internalTrafficPolicy", "externalTrafficPolicy"]) {
        if (has(field)) say([...path, field], "expected no such field beside localRedirect, which is about the service's address alone");
      }
    }
    if (name !== undefined) {
      const first = names(name, path);
      if (first !== undefined) say([...path, "name"], `expected a name of its own, but ${at(first)} is named ${JSON.stringify(name)} too`);
    }
    const place = { ...entryParts, externalAddresses: externalAddresses.filter((other) => other !== undefined), backends: backends.filter((other) => other !== undefined) };
    const family = serviceFamily(place);
    if (protocol !== undefined) {
      const asked = [
        ...(address === undefined ? [] : [[path, address, port] as const]),
        ...externalAddresses.map((other, i) => [[...path, "externalAddresses", i], other, port] as const),
        ...(hostIP === undefined ? [] : [[[...path, "hostIP"], hostIP, hostPort] as const]),
      ];
      for (const [where, other, port] of asked) {
        if (port === undefined || other === undefined) continue;
        const text = `${endpointText({ address: other, port })}/${protocol}`;
        const first = frontEnds(text, where);
        if (first !== undefined) say(where, `expected an address, port and protocol of its own, but ${at(first)} is ${text} too`);
      }
      for (const [field, port] of [["nodePort", nodePort], ["hostPort", hostIP === undefined ? hostPort : undefined]] as const) {
        const first = port === undefined ? undefined : frontEnds(`${port}/${protocol}/${family}`, [...path, field]);
        if (first !== undefined) say([...path, field], `expected a ${field} and protocol of its own, but ${at(first)} is ${port}/${protocol} too`);
      }
    }
    if (family === "ipv6" && !ipv6) say(has("address") ? [...path, "address"] : path, "expected an IPv4 service, since options.ipv6 is false");
    const others: { field: string; i?: number; address: string | undefined }[] = [
      { field: "hostIP", address: hostIP },
      ...externalAddresses.map((other, i) => ({ field: "externalAddresses", i, address: other })),
      ...backends.map((backend, i) => ({ field: "backends", i, address: backend?.address })),
    ];
    for (const { field, i, address } of others) {
      if (address === undefined || familyOf(address) === family) continue;
      say(i === undefined ? [...path, field] : [...path, field, i], `expected an ${familyName[family]} address like the service's others, but found ${address}`);
    }
    const endpoints = firstPlaces();
    backends.forEach((backend, i) => {
      if (backend === undefined) return;
      const first = endpoints(endpointText(backend), [...path, "backends", i]);
      if (first !== undefined) say([...path, "backends", i], `expected each backend once, but ${at(first)} is ${endpointText(backend)} too`);
    });
    const tableSize = algorithm === "maglev" ? maglevTableSize : undefined;
    if (tableSize !== undefined && place.backends.length > tableSize) {
      say([...path, "backends"], `expected at most ${tableSize} backends, options.maglevTableSize, but these are ${place.backends.length}`);
      return;
    }
    // A service of which some addresses have the backends of this node alone has two rows of slots.
    const parts = [...new Set(Object.values(localScopes(place)))].map((local) => (local ? backendsOfNode(place.backends, node) : place.backends));
    const rows = parts.map((backends) => slotsNeeded(backends, tableSize));
    const needed = rows.reduce((sum, row) => sum + row, 0);
    const longest = Math.max(0, ...rows);
    if (longest > MAX_SLOTS_PER_SERVICE) {
      say([...path, "backends"], `expected weights that take at most ${MAX_SLOTS_PER_SERVICE} slots in lowest terms, but these take ${longest}; numbers that have a divisor in common take fewer`);
      return;
    }
    const counted = count[family];
    const { slots, services } = familyMaps[family];
    const size = sizes[slots.name]!;
    if (counted.slots <= size && counted.slots + needed > size) {
      say([...path, "backends"], `expected backends that take at most ${size} slots in all, the size of map ${slots.name}, but with these it takes ${counted.slots + needed}`);
    }
    counted.slots += needed;
    const limit = Math.min(sizes[services.name]!, MAX_SERVICES);
    const before = counted.services;
    counted.services += Math.max(1, parts.length);
    if (before <= limit && counted.services > limit) {
      const why = limit === MAX_SERVICES ? "which the 16 bits of a rev_nat_index can tell apart" : `the size of map ${services.name}`;
      say(path, `expected at most ${limit} services, ${why}`);
    }
  });
  return problems;
}
