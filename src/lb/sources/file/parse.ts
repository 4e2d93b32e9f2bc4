/** Reads a configuration file and reports all its mistakes at once. */
import { readLimited } from "../../../limited-file.ts";
import {
  checkServices,
  completeState,
  fieldText,
  LoadBalancerError,
  nearest,
  problemsText,
  type CheckedService,
  type DesiredState,
  type FieldPath,
  type Options,
  type SourceState,
} from "../../model/index.ts";
import { readDocument, type SourceDocument } from "./document.ts";
import { problemAt, type ConfigProblem } from "./problem.ts";
import { backend as backendSchema, configSchema, knownFields } from "./schema.ts";

/** An invalid configuration. `problems` are in the order of the file. */
export class ConfigError extends LoadBalancerError {
  override readonly name = "ConfigError";
  readonly problems: readonly ConfigProblem[];

  constructor(file: string, problems: readonly ConfigProblem[]) {
    const lines = problems.map(
      ({ line, column, field, message }) => `${file}:${line}:${column}: ${field === "" ? "" : `${field}: `}${message}`,
    );
    super(problemsText(lines, "mistakes in the configuration"), {
      hint: "nothing was changed; correct the file and run the command again",
    });
    this.problems = problems;
  }
}

/**
 * Reads a configuration file: YAML 1.2 in UTF-8, a regular file of at most 64 MiB.
 * @throws {LoadBalancerError} if the file cannot be read
 * @throws {ConfigError} with every mistake in it
 *
 * @example
 * ```ts
 * import { readConfig } from "tsbpf/lb";
 *
 * const { services } = readConfig("services.yaml");
 * ```
 */
export function readConfig(file: string): DesiredState {
  let bytes: Uint8Array;
  try {
    bytes = readLimited(file, { regularOnly: true });
  } catch (error) {
    throw new LoadBalancerError(`cannot read the configuration ${file}: ${(error as Error).message}`, {
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
 * Parses the text of a configuration file.
 * @param file names the text in errors
 * @throws {ConfigError} with every mistake in it
 *
 * @example
 * ```ts
 * import { parseConfig } from "tsbpf/lb";
 *
 * parseConfig("services: []", "inline").options.ipv6; // true
 * ```
 */
export function parseConfig(text: string, file: string): DesiredState {
  const document = readDocument(text);
  if (document.errors.length > 0) {
    throw new ConfigError(
      file,
      document.errors.map(({ position, message }) => ({ ...position, field: "", message: `not YAML: ${message}` })),
    );
  }
  const result = configSchema.safeParse(document.value);
  const problems = (result.error?.issues ?? []).flatMap((issue) => issueProblems(document, issue, []));
  const settings = result.data === undefined ? validSettings(document.value) : stateOf(result.data);
  checkServices(
    { ...settings, services: result.data?.services ?? validParts(document.value) },
    (path, message) => problems.push(problemAt(document, path, message)),
    (path) => `${fieldText(path)} (line ${document.positionOf(path).line})`,
  );
  if (!result.success || problems.length > 0)
    throw new ConfigError(
      file,
      problems.sort((a, b) => a.line - b.line || a.column - b.column),
    );
  return stateOf(result.data);
}

type Parsed = NonNullable<ReturnType<typeof configSchema.safeParse>["data"]>;

function stateOf({ services, ...settings }: Parsed): DesiredState {
  return completeState({
    ...settings,
    options: settings.options as Partial<Options> | undefined,
    maps: settings.maps as SourceState["maps"],
    services: services.map(({ affinity, externalAddresses = [], ...service }) => ({
      ...service,
      externalAddresses,
      affinityTimeout: affinity?.timeout ?? 0,
    })),
  });
}

/** The settings of an invalid file: the valid ones, and defaults for the others. */
function validSettings(value: unknown): DesiredState {
  const { node, options, maps } = configSchema.shape;
  const given = (typeof value === "object" && value !== null ? value : {}) as Record<string, unknown>;
  return completeState({
    services: [],
    node: node.safeParse(given["node"]).data,
    options: options.safeParse(given["options"]).data as Partial<Options> | undefined,
    maps: maps.safeParse(given["maps"]).data as SourceState["maps"],
  });
}

/** The services of an invalid file, each with its valid fields. An entry that is not a mapping is undefined. */
function validParts(value: unknown): (CheckedService | undefined)[] {
  const services = (value as { services?: unknown } | null)?.services;
  if (!Array.isArray(services)) return [];
  return services.map((entry: unknown) => {
    if (typeof entry !== "object" || entry === null || Array.isArray(entry)) return undefined;
    return validFields(entry as Record<string, unknown>);
  });
}

function validFields(entry: Record<string, unknown>): CheckedService {
  const { shape } = configSchema.shape.services.element;
  // One type for all schemas: checking a method of their union takes a fifth of this project's type check.
  const schemas: Record<string, { safeParse(value: unknown): { data?: unknown } }> = shape;
  const simple = Object.entries(schemas).map(
    ([field, schema]) => [field, schema.safeParse(entry[field]).data] as const,
  );
  const validItems = <T>(field: string, schema: { safeParse(item: unknown): { data?: T } }) => {
    const value = entry[field];
    return Array.isArray(value) ? value.map((item: unknown) => schema.safeParse(item).data) : [];
  };
  return {
    ...Object.fromEntries(simple),
    externalAddresses: validItems("externalAddresses", shape.address),
    backends: validItems("backends", backendSchema),
    invalid: new Set(
      simple.filter(([field, data]) => data === undefined && entry[field] !== undefined).map(([f]) => f),
    ),
  };
}

type Issue = NonNullable<ReturnType<typeof configSchema.safeParse>["error"]>["issues"][number];

function issueProblems(document: SourceDocument, issue: Issue, before: FieldPath): ConfigProblem[] {
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

function unknownField(document: SourceDocument, path: FieldPath, key: string): ConfigProblem {
  const known = knownFields(path);
  const suggestion = nearest(key, known);
  return {
    ...document.positionOfField(path, key),
    field: fieldText([...path, key]),
    message:
      "expected no such field; " +
      (suggestion === undefined ? `known are ${known.join(", ")}` : `did you mean ${suggestion}?`),
  };
}

function valueAt(value: unknown, path: FieldPath): unknown {
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
