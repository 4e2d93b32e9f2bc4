/** Programs, maps and services into the kernel, over what is there already or afresh. */
import { defaultOptions, loadBalancerPrograms } from "../../programs/index.ts";
import { attach, cgroupRoot, checkHost, load, openCgroup, PinDirectory } from "../loader/index.ts";
import type { Program } from "../types/index.ts";
import type { Config } from "./config/index.ts";
import { applyPlan, readState } from "./control.ts";
import { attachOrder, checkHooks } from "./hooks.ts";
import { exclusively } from "./lock.ts";
import { allocation, controlMaps, serviceNames, type ControlMaps } from "./maps.ts";
import { planServices, type Plan } from "./plan.ts";
import { probeDataPath } from "./probe.ts";
import { definitionOf, type State } from "./state.ts";
import { OWNER, reportStatus, type Status } from "./status.ts";

export interface LoadRequest {
  readonly config: Config;
  /** A cgroup v2 directory: its processes, and those of the cgroups below, are balanced. The root of the hierarchy if absent. */
  readonly cgroup?: string | undefined;
  /** A directory on a BPF file system for programs, links and maps to outlive this process. */
  readonly pins: string;
}

export interface LoadResult {
  readonly status: Status;
  /** Whether programs that were attached before were replaced. */
  readonly replaced: boolean;
  /** What became of the services. */
  readonly services: Pick<Plan, "added" | "changed" | "removed" | "unchanged">;
}

/**
 * Loads the load balancer, or replaces the one that is loaded: its programs in
 * one step each, its services as `planServices` has it, so that no call meets
 * neither the old nor the new. Everything or nothing: where something fails,
 * all is as it was.
 *
 * @throws {LoaderError | LoadBalancerError} where this machine, the cgroup or the directory will not do
 * @throws {BpfError} where the kernel refuses; {VerifierError} where its verifier does
 */
export async function loadLoadBalancer({ config, cgroup: wanted, pins: directory }: LoadRequest): Promise<LoadResult> {
  checkHost();
  const cgroup = wanted ?? cgroupRoot();
  const target = openCgroup(cgroup);
  let programs: Program[];
  try {
    checkHooks(target, loadBalancerPrograms().map(({ hook }) => hook.expectedAttachType).filter((attachType) => attachType !== undefined));
    programs = loadBalancerPrograms({ ...defaultOptions, ...probeDataPath() })
      .map((source) => source.compile())
      .sort((a, b) => attachOrder(a.expectedAttachType) - attachOrder(b.expectedAttachType));
  } finally {
    target.close();
  }

  return exclusively(() => PinDirectory.create(directory, OWNER).directory, () => {
    const pins = PinDirectory.create(directory, OWNER);
    try {
      const { maps: sizes } = config;
      using collection = load(programs, {
        pins,
        maps: [serviceNames, allocation],
        maxEntries: { ...sizes, [serviceNames.name]: sizes.services },
      });
      const maps = controlMaps(collection);
      const before = readState(maps);
      const plan = planServices(before, config.services);
      let replaced: boolean;
      try {
        applyPlan(maps, plan);
        const attached = attach(collection, { cgroup, pins });
        replaced = attached.attachments.some(({ how }) => how === "replaced");
        attached.close();
      } catch (error) {
        restore(maps, before);
        throw error;
      }
      const { added, changed, removed, unchanged } = plan;
      return { status: reportStatus(pins), replaced, services: { added, changed, removed, unchanged } };
    } finally {
      // Only where nothing was loaded before, and nothing is now.
      pins.removeIfEmpty();
    }
  });
}

/** Brings the services back that were there before a load that failed. */
function restore(maps: ControlMaps, before: State): void {
  applyPlan(maps, planServices(readState(maps), before.services.map(definitionOf).filter((service) => service !== undefined)));
}
