/** Sources of services. A new kind takes one file, or folder, and one line in `sourceKinds`. */
import { LoadBalancerError, nearest, type SourceState } from "../model/index.ts";
import { fileSource } from "./file/index.ts";
import type { Source } from "./source.ts";

export { ConfigError, fileSource, knownFields, parseConfig, readConfig, type ConfigProblem } from "./file/index.ts";
export type { Source } from "./source.ts";

/** Opens a source at a location: a path or an address, as the kind defines it. */
type OpenSource = (location: string) => Source;

const sourceKinds: Readonly<Record<string, OpenSource>> = {
  file: fileSource,
};

/**
 * Opens a source by its kind.
 *
 * @param kind `file`
 * @param location for `file`, the path of a configuration file
 * @throws {LoadBalancerError} if there is no such kind
 *
 * @example
 * ```ts
 * import { firstState, openSource } from "tsbpf/lb";
 *
 * const state = await firstState(openSource("file", "services.yaml"));
 * ```
 */
export function openSource(kind: string, location: string): Source {
  const open = Object.hasOwn(sourceKinds, kind) ? sourceKinds[kind] : undefined;
  if (open !== undefined) return open(location);
  const known = Object.keys(sourceKinds);
  const suggestion = nearest(kind, known);
  throw new LoadBalancerError(`cannot open a source of services of kind ${JSON.stringify(kind)}: it is unknown`, {
    hint: suggestion === undefined ? `known kinds: ${known.join(", ")}` : `did you mean ${suggestion}?`,
  });
}

/**
 * The first state of a source. The source is closed afterwards.
 *
 * @throws {LoadBalancerError} if the source ends without a state, and whatever the source throws
 *
 * @example
 * ```ts
 * import { fileSource, firstState } from "tsbpf/lb";
 *
 * const { services } = await firstState(fileSource("services.yaml"));
 * ```
 */
export async function firstState(source: Source): Promise<SourceState> {
  for await (const state of source) return state;
  throw new LoadBalancerError(`${source.name} gave no services`);
}
