/** What the programs that are loaded were built for: kept in a map, so that others can be built that differ in one point. */
import { defaultOptions, type DataPathOptions } from "../../../programs/index.ts";
import type { MapHandle } from "../../loader/index.ts";
import { LoadBalancerError } from "../model/error.ts";
import type { builtOptions } from "./maps.ts";

type OptionsMap = MapHandle<typeof builtOptions>;

/** Numbers of 64 bits, which JSON rounds, are written as text with an `n` behind; no option is such a text. */
const BIGINT = /^\d+n$/;

/**
 * Notes what programs are built for.
 * @throws {BpfError}
 */
export function writeBuiltOptions(map: OptionsMap, options: DataPathOptions): void {
  map.set(0, { json: optionsText(options) });
}

/**
 * What the programs are built for.
 * @throws {LoadBalancerError} where that was not noted
 * @throws {BpfError}
 */
export function readBuiltOptions(map: OptionsMap): DataPathOptions {
  const json = map.get(0)?.json ?? "";
  try {
    return optionsFrom(json);
  } catch (error) {
    throw new LoadBalancerError(
      `it is not known what the programs were built for: map ${map.name} holds ${JSON.stringify(json.slice(0, 40))}`,
      {
        hint: "load again",
        cause: error,
      },
    );
  }
}

/** As JSON; what is undefined is null there. */
export function optionsText(options: DataPathOptions): string {
  return JSON.stringify(options, (_, value: unknown) =>
    typeof value === "bigint" ? `${value}n` : value === undefined ? null : value,
  );
}

/** The reverse. Options that a later version has are let go, those that an earlier one did not have are at their default. @throws {SyntaxError} */
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
