/** The configuration file. */
export { ConfigError, parseConfig, readConfig, type Config, type ConfigOptions, type OptOutConfig } from "./parse.ts";
export type { ConfigProblem } from "./problem.ts";
export { defaultMapSizes, type MapSizes } from "./schema.ts";
