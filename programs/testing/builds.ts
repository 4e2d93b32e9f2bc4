/** Sets of options that together show every part of the programs: for tests, snapshots and tables. */
import { defaultOptions, type DataPathOptions } from "../options.ts";

/** Depths of exempt cgroups, in builds with that option. */
export const OPT_OUT_LEVELS: readonly number[] = [2, 3];

const withSwitches = (on: boolean): DataPathOptions => ({
  ...(Object.fromEntries(
    Object.entries(defaultOptions).map(([name, value]) => [name, typeof value === "boolean" ? on : value]),
  ) as unknown as DataPathOptions),
  optOutCgroupLevels: on ? OPT_OUT_LEVELS : [],
  // Would make `hostNamespaceServices` pointless.
  hostNamespaceOnly: false,
  // On only while `tsbpf monitor` runs.
  events: false,
  // The other value takes more instructions.
  recentInReverseMap: true,
});

/**
 * `minimal`: every option off. `full`: every option on that can be combined; `events`: with events as well. The last
 * two have options that cannot be combined with `full`.
 */
export const builds = {
  minimal: withSwitches(false),
  default: defaultOptions,
  full: withSwitches(true),
  events: { ...withSwitches(true), events: true },
  recentInStorage: { ...withSwitches(false), ipv6: true, recentInReverseMap: false },
  hostOnly: { ...defaultOptions, ipv6: true, nodePorts: true, hostNamespaceOnly: true, hostNetnsCookie: undefined },
} as const satisfies Readonly<Record<string, DataPathOptions>>;
