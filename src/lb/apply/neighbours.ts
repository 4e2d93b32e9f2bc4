/** Whether a load would take a cgroup from a balancer, or join another balancer on one. */
import { statSync } from "node:fs";
import { familyMaps } from "./maps.ts";
import { attachedPrograms, linux } from "../../kernel/index.ts";
import { openCgroup, type PinDirectory } from "../../loader/index.ts";
import { cgroupPath, hookText } from "../host/index.ts";
import { LoadBalancerError } from "../model/index.ts";
import type { Build } from "./programs.ts";

/** What a load may do to the balancers that are there. */
export interface Permissions {
  /** Moves a balancer that is attached to another cgroup. Default: false. */
  readonly move?: boolean | undefined;
  /** Attaches beside another balancer on the cgroup. Default: false. */
  readonly beside?: boolean | undefined;
}

/** @throws {LoadBalancerError} if the programs are attached to another cgroup, and may not be moved */
export function requireSameCgroup(pins: PinDirectory, cgroup: string, { move }: Permissions): void {
  if (move) return;
  const wanted = statSync(cgroup, { bigint: true }).ino;
  const others = new Set(pins.links().map(({ link }) => link.cgroupId ?? 0n));
  // The kernel detaches the links of a removed cgroup a moment later: such a cgroup has no path already.
  const place = [...others]
    .filter((id) => id !== 0n && id !== wanted)
    .map((id) => cgroupPath(id))
    .find((path) => path !== undefined);
  if (place === undefined) return;
  throw new LoadBalancerError(
    `cannot load on cgroup ${cgroup}: the load balancer pinned at ${pins.directory} is attached to ${place}`,
    { hint: "move it with --move, or load a second one with --pin and another directory" },
  );
}

/** @throws {LoadBalancerError} if another balancer is attached to the cgroup, and this one may not join it */
export function requireAlone(pins: PinDirectory, cgroup: string, { programs }: Build, { beside }: Permissions): void {
  if (beside) return;
  const own = new Set(pins.links().map(({ link }) => link.programId));
  const target = openCgroup(cgroup);
  try {
    for (const { name, expectedAttachType } of programs) {
      if (expectedAttachType === undefined) continue;
      const { programIds } = attachedPrograms(target, expectedAttachType);
      const other = programIds.find((id) => !own.has(id) && isBalancer(id));
      if (other === undefined) continue;
      throw new LoadBalancerError(
        `cannot load on cgroup ${cgroup}: another load balancer is attached there ` +
          `(program ${other} on ${hookText(expectedAttachType)}, where ${name} would be)`,
        { hint: "unload it with --pin and its directory, or load beside it with --beside: each call passes both" },
      );
    }
  } finally {
    target.close();
  }
}

/** Whether a program is a load balancer's: it uses the map of services of either family. */
function isBalancer(id: number): boolean {
  const program = linux.openById("program", id);
  if (program === undefined) return false;
  try {
    return linux.programInfo(program).mapIds.some((mapId) => {
      using map = linux.openById("map", mapId);
      return map !== undefined && serviceMaps.has(linux.mapInfo(map).name);
    });
  } finally {
    program.close();
  }
}

const serviceMaps: ReadonlySet<string> = new Set(Object.values(familyMaps).map(({ services }) => services.name));
