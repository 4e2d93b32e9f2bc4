/** The load balancer's configurations: minimal, default, full, their variants, and those for older kernels. */
import { loadBalancerPrograms, type DataPathOptions } from "../../programs/index.ts";
import { builds } from "../../programs/testing/builds.ts";
import type { Program } from "../../src/asm/index.ts";
import { atomicFetch, isPresent, setRetval } from "./features.ts";

export const configurations: Readonly<Record<string, DataPathOptions>> = {
  ...builds,
  // The fullest configurations for kernels without bpf_set_retval and atomic operations that return the old value.
  fullBeforeSetRetval: { ...builds.full, setRetval: false, atomicFetch: false },
  eventsBeforeSetRetval: { ...builds.events, setRetval: false, atomicFetch: false },
  hostOnlyBeforeSetRetval: { ...builds.hostOnly, setRetval: false, atomicFetch: false },
};

let compiled: readonly Program[] | undefined;

/** The programs of the full configuration, as far as the running kernel supports it. Compiled once. */
export async function fullPrograms(): Promise<readonly Program[]> {
  if (compiled === undefined) {
    const options = {
      ...builds.full,
      setRetval: await isPresent(setRetval),
      atomicFetch: await isPresent(atomicFetch),
      hostNetnsCookie: undefined,
    };
    compiled = loadBalancerPrograms(options).map((source) => source.compile());
  }
  return compiled;
}
