/** The configuration file: YAML 1.2. docs/configuration.md is its reference. */
import type { Source } from "../source.ts";
import { readConfig } from "./parse.ts";

export { ConfigError, parseConfig, readConfig } from "./parse.ts";
export type { ConfigProblem } from "./problem.ts";
export { knownFields } from "./schema.ts";

/**
 * Yields the state of a configuration file once, then ends.
 *
 * @param path a YAML file
 * @returns a source whose iterator throws {ConfigError} with every mistake in
 *   the file, and {LoadBalancerError} if it cannot be read
 *
 * @example
 * ```ts
 * import { fileSource } from "tsbpf/lb";
 *
 * for await (const { services } of fileSource("services.yaml")) console.log(services.length);
 * ```
 */
export function fileSource(path: string): Source {
  return {
    name: `file ${path}`,
    async *[Symbol.asyncIterator]() {
      yield readConfig(path);
    },
  };
}
