/** The configuration file: read, checked as a whole, and refused with every mistake at once. */
import { readFileSync } from "node:fs";
import { backends as backendsMap, reverseSk, services as servicesMap, slots as slotsMap } from "../../../programs/maps.ts";
import { LoadBalancerError } from "../error.ts";
import { endpointText, MAX_SERVICES, type ServiceDefinition } from "../service.ts";
import { readDocument, type Path, type Position, type SourceDocument } from "./document.ts";
import { nearest } from "./nearest.ts";
import { configSchema, knownFields } from "./schema.ts";

/** What the load balancer is to do. */
export interface Config {
  readonly services: readonly ServiceDefinition[];
  readonly maps: MapSizes;
}

/** Entries of the maps whose size can be chosen, by the maps' names. */
export interface MapSizes {
  readonly services: number;
  readonly slots: number;
  readonly backends: number;
  readonly cilium_lb4_reverse_sk: number;
}

export const defaultMapSizes: MapSizes = {
  services: servicesMap.maxEntries,
  slots: slotsMap.maxEntries,
  backends: backendsMap.maxEntries,
  cilium_lb4_reverse_sk: reverseSk.maxEntries,
};

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
  const problems: ConfigProblem[] = [];
  const result = configSchema.safeParse(document.value);
  for (const issue of result.error?.issues ?? []) {
    if (issue.code === "unrecognized_keys") {
      for (const key of issue.keys) problems.push(unknownField(document, issue.path, key));
    } else {
      problems.push(problemAt(document, issue.path, `${issue.message}, ${found(valueAt(document.value, issue.path))}`));
    }
  }
  problems.push(...contradictions(document));
  if (result.success && problems.length === 0) {
    return { services: result.data.services, maps: { ...defaultMapSizes, ...result.data.maps } };
  }
  throw new ConfigError(file, problems.sort((a, b) => a.line - b.line || a.column - b.column));
}

/** What is wrong between the parts, looked for among those that are right in themselves. */
function contradictions(document: SourceDocument): ConfigProblem[] {
  const root = document.value as { services?: unknown; maps?: unknown } | null;
  if (!Array.isArray(root?.services)) return [];
  const sizes = { ...defaultMapSizes, ...configSchema.shape.maps.safeParse(root.maps).data };
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
  const frontends = firstPlaces();
  const shape = configSchema.shape.services.element.shape;
  let backendCount = 0;
  root.services.forEach((entry: Record<string, unknown> | null, index) => {
    const path = ["services", index];
    const { name, address, port, protocol, backends } = entry ?? {};
    if (shape.name.safeParse(name).success) {
      const first = names(name as string, path);
      if (first !== undefined) say([...path, "name"], `expected a name of its own, but ${at(first)} is named ${JSON.stringify(name)} too`);
    }
    if (shape.address.safeParse(address).success && shape.port.safeParse(port).success && shape.protocol.safeParse(protocol).success) {
      const first = frontends(`${String(address)}:${String(port)}/${String(protocol)}`, path);
      if (first !== undefined) say(path, `expected an address, port and protocol of its own, but ${at(first)} is ${String(address)}:${String(port)}/${String(protocol)} too`);
    }
    if (!Array.isArray(backends)) return;
    const endpoints = firstPlaces();
    backends.forEach((text: unknown, position) => {
      const backend = shape.backends.element.safeParse(text);
      if (!backend.success) return;
      const first = endpoints(endpointText(backend.data), [...path, "backends", position]);
      if (first !== undefined) say([...path, "backends", position], `expected each backend once, but ${at(first)} is ${endpointText(backend.data)} too`);
    });
    const before = backendCount;
    backendCount += backends.length;
    if (before <= sizes.slots && backendCount > sizes.slots) {
      say([...path, "backends"], `expected at most ${sizes.slots} backends in all, the size of map slots, but with these there are ${backendCount}`);
    }
  });
  const limit = Math.min(sizes.services, MAX_SERVICES);
  if (root.services.length > limit) {
    const why = limit === MAX_SERVICES ? "which the 16 bits of a rev_nat_index can tell apart" : "the size of map services";
    say(["services", limit], `expected at most ${limit} services, ${why}, but there are ${root.services.length}`);
  }
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
