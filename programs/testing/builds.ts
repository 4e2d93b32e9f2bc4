/** What the programs are built for where all of it is to be seen: in tests, snapshots, tables. */
import { defaultOptions, type DataPathOptions } from "../options.ts";

/** Depths of cgroups that may be left alone, in builds that have it. */
export const OPT_OUT_LEVELS: readonly number[] = [2, 3];

const withSwitches = (on: boolean): DataPathOptions => ({
  ...(Object.fromEntries(
    Object.entries(defaultOptions).map(([name, value]) => [name, typeof value === "boolean" ? on : value]),
  ) as unknown as DataPathOptions),
  optOutCgroupLevels: on ? OPT_OUT_LEVELS : [],
  // It would leave nothing for the services of the host's namespace alone to decide.
  hostNamespaceOnly: false,
  // Never for longer than somebody listens.
  events: false,
  // One of two ways, of which the other takes more instructions.
  recentInReverseMap: true,
});

/** Everything switched off that can be; as it comes; everything on that goes together; the same while somebody listens; and two that do not go with it. */
export const builds = {
  minimal: withSwitches(false),
  default: defaultOptions,
  full: withSwitches(true),
  events: { ...withSwitches(true), events: true },
  recentInStorage: { ...withSwitches(false), ipv6: true, recentInReverseMap: false },
  hostOnly: { ...defaultOptions, ipv6: true, nodePorts: true, hostNamespaceOnly: true, hostNetnsCookie: undefined },
} as const satisfies Readonly<Record<string, DataPathOptions>>;
