/** The load balancer's configurations: everything off that can be, as it comes, everything on. */
import { defaultOptions, loadBalancerPrograms, type DataPathOptions } from "../../programs/index.ts";
import type { Program } from "../../src/types/index.ts";
import { isPresent, setRetval } from "./features.ts";

export const configurations: Readonly<Record<string, DataPathOptions>> = {
  minimal: withSwitches(false),
  default: defaultOptions,
  full: withSwitches(true),
};

function withSwitches(value: boolean): DataPathOptions {
  const switched = Object.entries(defaultOptions).map(([name, before]) => [name, typeof before === "boolean" ? value : before]);
  return Object.fromEntries(switched) as unknown as DataPathOptions;
}

let compiled: readonly Program[] | undefined;

/** The programs of the full configuration, as far as the running kernel can have it. Compiled once. */
export async function fullPrograms(): Promise<readonly Program[]> {
  if (compiled === undefined) {
    const options = { ...configurations["full"]!, setRetval: await isPresent(setRetval) };
    compiled = loadBalancerPrograms(options).map((source) => source.compile());
  }
  return compiled;
}
