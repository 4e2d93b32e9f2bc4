/** The load balancer's configurations: everything off that can be, as it comes, everything on, what does not go with that, and both for older kernels. */
import { loadBalancerPrograms, type DataPathOptions } from "../../programs/index.ts";
import { builds } from "../../programs/testing/builds.ts";
import type { Program } from "../../src/asm/index.ts";
import { isPresent, setRetval } from "./features.ts";

export const configurations: Readonly<Record<string, DataPathOptions>> = {
  ...builds,
  // What kernels have everything of that have no bpf_set_retval.
  fullBeforeSetRetval: { ...builds.full, setRetval: false },
  eventsBeforeSetRetval: { ...builds.events, setRetval: false },
  hostOnlyBeforeSetRetval: { ...builds.hostOnly, setRetval: false },
};

let compiled: readonly Program[] | undefined;

/** The programs of the full configuration, as far as the running kernel can have it. Compiled once. */
export async function fullPrograms(): Promise<readonly Program[]> {
  if (compiled === undefined) {
    const options = { ...builds.full, setRetval: await isPresent(setRetval), hostNetnsCookie: undefined };
    compiled = loadBalancerPrograms(options).map((source) => source.compile());
  }
  return compiled;
}
