/** The configuration file. */
export { ConfigError, defaultMapSizes, parseConfig, readConfig, type Config, type ConfigProblem, type MapSizes } from "./config.ts";
