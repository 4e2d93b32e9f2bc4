/**
 * The options that the attached programs were built for, in a map: later processes compare them, monitors build
 * variants.
 */
import { defaultOptions, type DataPathOptions } from "../../../programs/index.ts";
import type { MapHandle } from "../../loader/index.ts";
import { LoadBalancerError } from "../model/index.ts";
import type { builtOptions } from "./maps.ts";

type OptionsMap = MapHandle<typeof builtOptions>;

/** 64-bit numbers are written as text that ends in `n`, because JSON rounds them. No option is such a text. */
const BIGINT = /^\d+n$/;

/** Identifies programs: their options, and a digest of their code. */
export interface BuildIdentity {
  readonly options: DataPathOptions;
  readonly digest: string;
}

/**
 * Stores what programs are built for.
 * @throws {BpfError}
 */
export function writeBuild(map: OptionsMap, build: BuildIdentity): void {
  map.set(0, { json: buildText(build) });
}

/**
 * Whether the stored build is this one.
 * @throws {BpfError}
 */
export function isStoredBuild(map: OptionsMap, build: BuildIdentity): boolean {
  return map.get(0)?.json === buildText(build);
}

/**
 * The options that the programs were built for.
 * @throws {LoadBalancerError} if none are stored
 * @throws {BpfError}
 */
export function readBuiltOptions(map: OptionsMap): DataPathOptions {
  const json = map.get(0)?.json ?? "";
  try {
    return optionsFrom(json);
  } catch (error) {
    throw new LoadBalancerError(
      `cannot tell what the programs were built for: map ${map.name} holds ${JSON.stringify(json.slice(0, 40))}`,
      { hint: "load again", cause: error },
    );
  }
}

/** Options as JSON. Undefined becomes null. */
export function optionsText(options: DataPathOptions): string {
  return JSON.stringify(options, replacer);
}

/** A build as JSON: its options and, beside them, its digest. Other versions ignore fields that they do not know. */
export function buildText({ options, digest }: BuildIdentity): string {
  return JSON.stringify({ ...options, digest }, replacer);
}

function replacer(_: string, value: unknown): unknown {
  return typeof value === "bigint" ? `${value}n` : value === undefined ? null : value;
}

/** Options from JSON. Unknown ones are ignored, missing ones get their default. @throws {SyntaxError} */
export function optionsFrom(json: string): DataPathOptions {
  const stored = JSON.parse(json, (_, value: unknown) =>
    typeof value === "string" && BIGINT.test(value) ? BigInt(value.slice(0, -1)) : value,
  ) as Partial<Record<string, unknown>>;
  return Object.fromEntries(
    Object.entries(defaultOptions).map(([name, byDefault]) => [
      name,
      name in stored ? (stored[name] ?? undefined) : byDefault,
    ]),
  ) as unknown as DataPathOptions;
}
