/** The configuration file. */
export { ConfigError, parseConfig, readConfig, type Config, type ConfigOptions, type ConfigProblem } from "./config.ts";
export { defaultMapSizes, type MapSizes } from "./schema.ts";
