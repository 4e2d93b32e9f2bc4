/** The configuration file: read, checked as a whole, and refused with every mistake at once. */
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { LoadBalancerError } from "../../model/error.ts";
import type { ServiceConfig } from "../../model/front-ends.ts";
import { contradictions } from "../../model/consistency.ts";
import { readDocument, type Path, type SourceDocument } from "./document.ts";
import { nearest } from "../../model/nearest.ts";
import { fieldText, problemAt, type ConfigProblem } from "./problem.ts";
import { configSchema, defaultMapSizes, knownFields, type MapSizes } from "./schema.ts";

/** What the load balancer is to do. */
export interface Config {
  /** This node's name, by which backends are told that are its own. */
  readonly node: string;
  readonly services: readonly ServiceConfig[];
  readonly optOut: OptOutConfig;
  readonly options: ConfigOptions;
  readonly maps: MapSizes;
}

/** Whose sockets are left alone. */
export interface OptOutConfig {
  /** Directories below where cgroup v2 is mounted, or absolute: processes there and in the cgroups below them. */
  readonly cgroups: readonly string[];
  /** Names, as `ip netns` has them, or absolute paths of files. */
  readonly networkNamespaces: readonly string[];
}

/** What people choose about the data path. */
export interface ConfigOptions {
  /** Sockets of the IPv6 family are balanced, to IPv6 addresses and to mapped IPv4 ones. */
  readonly ipv6: boolean;
  /** What getpeername(2) tells a TCP client that it is connected to. */
  readonly getpeername: "service" | "backend";
  /** Which flows of UDP sockets have entries in the reverse maps: all, for other tools to see, or those alone that their sockets do not keep whole. */
  readonly reverseEntries: "all" | "older";
  /** Only sockets of the host's network namespace are balanced. */
  readonly hostNamespaceOnly: boolean;
  /** Slots of each service whose algorithm is maglev: one of `MAGLEV_TABLE_SIZES`. */
  readonly maglevTableSize: number;
  /** What a call to a service without backends fails with; unless given, ECONNREFUSED over TCP and EHOSTUNREACH over UDP. */
  readonly noBackend?: "EHOSTUNREACH" | "ECONNREFUSED" | undefined;
  /** Whether calls are counted by service, and by what became of them. */
  readonly metrics: boolean;
}

const defaultOptions: ConfigOptions = {
  ipv6: true,
  getpeername: "backend",
  reverseEntries: "all",
  hostNamespaceOnly: false,
  maglevTableSize: 1021,
  metrics: false,
};

/** A configuration that cannot be used; `problems` in the order of the file. */
export class ConfigError extends LoadBalancerError {
  override readonly name = "ConfigError";
  readonly problems: readonly ConfigProblem[];

  constructor(file: string, problems: readonly ConfigProblem[]) {
    const lines = problems.map(
      ({ line, column, field, message }) => `${file}:${line}:${column}: ${field === "" ? "" : `${field}: `}${message}`,
    );
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
    const reason = { ENOENT: "there is no such file", EISDIR: "it is a directory", EACCES: "permission denied" }[
      code ?? ""
    ];
    throw new LoadBalancerError(`cannot read the configuration ${file}: ${reason ?? (error as Error).message}`, {
      hint: "name a YAML file with --config FILE",
      cause: error,
    });
  }
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new LoadBalancerError(`cannot read the configuration ${file}: it is not UTF-8 text`, {
      hint: "name a YAML file with --config FILE",
      cause,
    });
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
    throw new ConfigError(
      file,
      document.errors.map(({ position, message }) => ({ ...position, field: "", message: `not YAML: ${message}` })),
    );
  }
  const result = configSchema.safeParse(document.value);
  const problems = (result.error?.issues ?? []).flatMap((issue) => issueProblems(document, issue, []));
  for (const problem of contradictions(document, result.data, soundSettings(document.value))) problems.push(problem);
  if (!result.success || problems.length > 0)
    throw new ConfigError(
      file,
      problems.sort((a, b) => a.line - b.line || a.column - b.column),
    );
  const { node = hostname(), services, optOut, options, maps } = result.data;
  return {
    node,
    services: services.map(({ affinity, externalAddresses = [], ...service }) => ({
      ...service,
      externalAddresses,
      affinityTimeout: affinity?.timeout ?? 0,
    })),
    optOut: { cgroups: [], networkNamespaces: [], ...optOut },
    options: { ...defaultOptions, ...options } as ConfigOptions,
    maps: { ...defaultMapSizes, ...maps } as MapSizes,
  };
}

/** What is right in itself of what the services are checked against; elsewhere what holds unless given. */
function soundSettings(value: unknown): Pick<Config, "node" | "options" | "maps"> {
  const { node, options, maps } = configSchema.shape;
  const given = (typeof value === "object" && value !== null ? value : {}) as Record<string, unknown>;
  return {
    node: node.safeParse(given["node"]).data ?? hostname(),
    options: { ...defaultOptions, ...options.safeParse(given["options"]).data } as ConfigOptions,
    maps: { ...defaultMapSizes, ...maps.safeParse(given["maps"]).data } as MapSizes,
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

function unknownField(document: SourceDocument, path: Path, key: string): ConfigProblem {
  const known = knownFields(path);
  const suggestion = nearest(key, known);
  return {
    ...document.positionOfField(path, key),
    field: fieldText([...path, key]),
    message: `expected no such field; ${suggestion === undefined ? `known are ${known.join(", ")}` : `did you mean ${suggestion}?`}`,
  };
}

function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (inner, part) => (inner as Record<PropertyKey, unknown> | null | undefined)?.[part],
    value,
  );
}

function found(value: unknown): string {
  if (value === undefined) return "but it is missing";
  if (value === null) return "but it is empty";
  if (Array.isArray(value)) return "but found a list";
  if (typeof value === "object") return "but found a mapping";
  if (typeof value === "string") return `but found the text ${JSON.stringify(value)}`;
  return `but found ${String(value as number | bigint | boolean)}`;
}
