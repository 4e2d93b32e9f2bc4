/** The configuration file: read, checked as a whole, and refused with every mistake at once. */
import { readFileSync } from "node:fs";
import { MAX_SLOTS_PER_SERVICE, slotsNeeded } from "../backend-slots.ts";
import { LoadBalancerError } from "../error.ts";
import { serviceFamily, type ServiceConfig } from "../front-ends.ts";
import { familyMaps } from "../maps.ts";
import { endpointText, familyOf, MAX_SERVICES, type AddressFamily, type BackendDefinition } from "../service.ts";
import { readDocument, type Path, type Position, type SourceDocument } from "./document.ts";
import { nearest } from "./nearest.ts";
import { backend as backendSchema, configSchema, defaultMapSizes, EXPECTED_ADDRESS, EXPECTED_PORT, knownFields, type MapSizes } from "./schema.ts";

/** What the load balancer is to do. */
export interface Config {
  readonly services: readonly ServiceConfig[];
  readonly options: ConfigOptions;
  readonly maps: MapSizes;
}

/** What people choose about the data path. */
export interface ConfigOptions {
  /** Sockets of the IPv6 family are balanced, to IPv6 addresses and to mapped IPv4 ones. */
  readonly ipv6: boolean;
  /** What getpeername(2) tells a TCP client that it is connected to. */
  readonly getpeername: "service" | "backend";
  /** What a call to a service without backends fails with; unless given, ECONNREFUSED over TCP and EHOSTUNREACH over UDP. */
  readonly noBackend?: "EHOSTUNREACH" | "ECONNREFUSED" | undefined;
}

const defaultOptions: ConfigOptions = { ipv6: true, getpeername: "backend" };

/** One mistake in a configuration file. */
export interface ConfigProblem extends Position {
  /** `services[0].port`; empty for the file as a whole. */
  readonly field: string;
  /** What was expected, and what is there. */
  readonly message: string;
}

/** A configuration that cannot be used; `problems` in the order of the file. */
export class ConfigError extends LoadBalancerError {
  override readonly name = "ConfigError";
  readonly problems: readonly ConfigProblem[];

  constructor(file: string, problems: readonly ConfigProblem[]) {
    const lines = problems.map(({ line, column, field, message }) => `${file}:${line}:${column}: ${field === "" ? "" : `${field}: `}${message}`);
    super(lines.length === 1 ? lines[0]! : `${lines.length} mistakes in the configuration\n  ${lines.join("\n  ")}`, {
      hint: "nothing was changed; correct the file and run the command again",
    });
    this.problems = problems;
  }
}

/**
 * Reads a configuration file: YAML 1.2, UTF-8.
 * @throws {LoadBalancerError} where the file cannot be read
 * @throws {ConfigError} with everything that is wrong in it
 */
export function readConfig(file: string): Config {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const reason = { ENOENT: "there is no such file", EISDIR: "it is a directory", EACCES: "permission denied" }[code ?? ""];
    throw new LoadBalancerError(`cannot read the configuration ${file}: ${reason ?? (error as Error).message}`, {
      hint: "name a YAML file with --config FILE",
      cause: error,
    });
  }
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new LoadBalancerError(`cannot read the configuration ${file}: it is not UTF-8 text`, { hint: "name a YAML file with --config FILE", cause });
  }
  return parseConfig(text, file);
}

/**
 * Checks a configuration's text. `file` names it in errors.
 * @throws {ConfigError}
 */
export function parseConfig(text: string, file: string): Config {
  const document = readDocument(text);
  if (document.errors.length > 0) {
    throw new ConfigError(file, document.errors.map(({ position, message }) => ({ ...position, field: "", message: `not YAML: ${message}` })));
  }
  const result = configSchema.safeParse(document.value);
  const problems = (result.error?.issues ?? []).flatMap((issue) => issueProblems(document, issue, []));
  for (const problem of contradictions(document, result.data)) problems.push(problem);
  if (!result.success || problems.length > 0) throw new ConfigError(file, problems.sort((a, b) => a.line - b.line || a.column - b.column));
  const { services, options, maps } = result.data;
  return {
    services: services.map(({ affinity, externalAddresses = [], ...service }) => ({ ...service, externalAddresses, affinityTimeout: affinity?.timeout ?? 0 })),
    options: { ...defaultOptions, ...options } as ConfigOptions,
    maps: { ...defaultMapSizes, ...maps } as MapSizes,
  };
}

type Issue = NonNullable<ReturnType<typeof configSchema.safeParse>["error"]>["issues"][number];

function issueProblems(document: SourceDocument, issue: Issue, before: Path): ConfigProblem[] {
  const path = [...before, ...issue.path];
  if (issue.code === "unrecognized_keys") return issue.keys.map((key) => unknownField(document, path, key));
  const value = valueAt(document.value, path);
  if (issue.code === "invalid_union") {
    const [text = [], mapping = []] = issue.errors;
    const isMapping = typeof value === "object" && value !== null && !Array.isArray(value);
    return (isMapping ? mapping : text).flatMap((inner) => issueProblems(document, inner as Issue, path));
  }
  return [problemAt(document, path, `${issue.message}, ${found(value)}`)];
}

/** The parts of a service that are right in themselves. */
interface SoundParts extends Pick<ServiceConfig, "address" | "port" | "nodePort"> {
  readonly name?: string | undefined;
  readonly protocol?: string | undefined;
  readonly externalAddresses?: readonly (string | undefined)[] | undefined;
  readonly backends: readonly (BackendDefinition | undefined)[];
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
    externalAddresses: listOf(entry["externalAddresses"], (item) => shape.address.safeParse(item).data),
    backends: listOf(entry["backends"], (item): BackendDefinition | undefined => backendSchema.safeParse(item).data),
  };
}

const familyName: Readonly<Record<AddressFamily, string>> = { ipv4: "IPv4", ipv6: "IPv6" };

/**
 * What is wrong between the parts, looked for among those that are right in themselves.
 * @param parsed the whole, where all of it is right in itself
 */
function contradictions(document: SourceDocument, parsed: { readonly services: readonly SoundParts[] } | undefined): ConfigProblem[] {
  const root = document.value as { services?: unknown; options?: unknown; maps?: unknown } | null;
  if (!Array.isArray(root?.services)) return [];
  const sizes = { ...defaultMapSizes, ...configSchema.shape.maps.safeParse(root.maps).data } as MapSizes;
  const { ipv6 } = { ...defaultOptions, ...configSchema.shape.options.safeParse(root.options).data };
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
    const { name, address, port, protocol, nodePort, externalAddresses = [], backends } = parsed?.services[index] ?? soundParts(entry as Record<string, unknown>);
    if (!has("address") && !has("nodePort") && !has("externalAddresses")) say([...path, "address"], `${EXPECTED_ADDRESS}, but it is missing`);
    if (!has("port") && (has("address") || has("externalAddresses") || !has("nodePort"))) say([...path, "port"], `${EXPECTED_PORT}, but it is missing`);
    if (name !== undefined) {
      const first = names(name, path);
      if (first !== undefined) say([...path, "name"], `expected a name of its own, but ${at(first)} is named ${JSON.stringify(name)} too`);
    }
    const place = { address, externalAddresses: externalAddresses.filter((other) => other !== undefined), backends: backends.filter((other) => other !== undefined) };
    const family = serviceFamily(place);
    if (protocol !== undefined) {
      const asked = [...(address === undefined ? [] : [[path, address] as const]), ...externalAddresses.map((other, i) => [[...path, "externalAddresses", i], other] as const)];
      for (const [where, other] of asked) {
        if (port === undefined || other === undefined) continue;
        const text = `${endpointText({ address: other, port })}/${protocol}`;
        const first = frontEnds(text, where);
        if (first !== undefined) say(where, `expected an address, port and protocol of its own, but ${at(first)} is ${text} too`);
      }
      const first = nodePort === undefined ? undefined : frontEnds(`${nodePort}/${protocol}/${family}`, [...path, "nodePort"]);
      if (first !== undefined) say([...path, "nodePort"], `expected a nodePort and protocol of its own, but ${at(first)} is ${nodePort}/${protocol} too`);
    }
    if (family === "ipv6" && !ipv6) say(has("address") ? [...path, "address"] : path, "expected an IPv4 service, since options.ipv6 is false");
    const others = [
      ...externalAddresses.map((other, i) => ({ field: "externalAddresses", i, address: other })),
      ...backends.map((backend, i) => ({ field: "backends", i, address: backend?.address })),
    ];
    for (const { field, i, address } of others) {
      if (address === undefined || familyOf(address) === family) continue;
      say([...path, field, i], `expected an ${familyName[family]} address like the service's others, but found ${address}`);
    }
    const endpoints = firstPlaces();
    backends.forEach((backend, i) => {
      if (backend === undefined) return;
      const first = endpoints(endpointText(backend), [...path, "backends", i]);
      if (first !== undefined) say([...path, "backends", i], `expected each backend once, but ${at(first)} is ${endpointText(backend)} too`);
    });
    const needed = slotsNeeded(place.backends);
    if (needed > MAX_SLOTS_PER_SERVICE) {
      say([...path, "backends"], `expected weights that take at most ${MAX_SLOTS_PER_SERVICE} slots in lowest terms, but these take ${needed}; numbers that have a divisor in common take fewer`);
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
    if (counted.services++ === limit) {
      const why = limit === MAX_SERVICES ? "which the 16 bits of a rev_nat_index can tell apart" : `the size of map ${services.name}`;
      say(path, `expected at most ${limit} services, ${why}`);
    }
  });
  return problems;
}

function unknownField(document: SourceDocument, path: Path, key: string): ConfigProblem {
  const known = knownFields(path);
  const suggestion = nearest(key, known);
  return {
    ...document.positionOfField(path, key),
    field: fieldText([...path, key]),
    message: `expected no such field; ${suggestion === undefined ? `known are ${known.join(", ")}` : `did you mean ${suggestion}?`}`,
  };
}

function problemAt(document: SourceDocument, path: Path, message: string): ConfigProblem {
  return { ...document.positionOf(path), field: fieldText(path), message };
}

function fieldText(path: Path): string {
  return path.map((part, i) => (typeof part === "number" ? `[${part}]` : `${i === 0 ? "" : "."}${String(part)}`)).join("");
}

function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>((inner, part) => (inner as Record<PropertyKey, unknown> | null | undefined)?.[part], value);
}

function found(value: unknown): string {
  if (value === undefined) return "but it is missing";
  if (value === null) return "but it is empty";
  if (Array.isArray(value)) return "but found a list";
  if (typeof value === "object") return "but found a mapping";
  return `but found ${typeof value === "string" ? `the text ${JSON.stringify(value)}` : String(value)}`;
}
