/** What is loaded, as the kernel tells it. */
import * as declared from "../../programs/maps.ts";
import { SLOT_SIZE } from "../asm/index.ts";
import { checkHost, PinDirectory } from "../loader/index.ts";
import { MapType } from "../types/index.ts";
import { cgroupPath } from "./cgroup-path.ts";
import { readState } from "./control.ts";
import { attachOrder, hookText } from "./hooks.ts";
import { controlMaps, loadBalancerMaps, type ControlMaps } from "./maps.ts";
import { endpointText, protocolOf } from "./service.ts";

/** Whose the directory of pins is. */
export const OWNER = "tsbpf load balancer";

export interface Status {
  /** The directory of the pins. */
  readonly pins: string;
  readonly programs: readonly ProgramStatus[];
  readonly maps: readonly MapStatus[];
  readonly services: readonly ServiceStatus[];
  /** Of the reverse map: UDP sockets and backends that they talk to. */
  readonly reverseEntries: { readonly used: number; readonly max: number };
}

export interface ProgramStatus {
  readonly name: string;
  /** `cgroup/connect4`. */
  readonly hook: string;
  readonly id: number;
  readonly linkId: number;
  /** The cgroup that it is attached to; undefined where that is gone or not to be seen from here. */
  readonly cgroup: string | undefined;
  /** False where the cgroup is gone, and the program runs no more. */
  readonly attached: boolean;
  /** As the kernel has them, after the verifier's own additions. */
  readonly instructions: number;
  /** Of machine code; 0 where the kernel has no JIT compiler. */
  readonly jitedBytes: number;
  /** Runs and their mean nanoseconds, counted while the kernel keeps statistics; undefined where it counted none. */
  readonly runs: { readonly count: bigint; readonly meanNs: number } | undefined;
}

export interface MapStatus {
  readonly name: string;
  readonly id: number;
  /** `lru_hash`, … */
  readonly type: string;
  readonly maxEntries: number;
}

export interface ServiceStatus {
  /** Absent where no name was recorded. */
  readonly name: string | undefined;
  readonly address: string;
  readonly port: number;
  /** `tcp`, `udp`; a number for any other. */
  readonly protocol: string;
  readonly revNatIndex: number;
  /** `20.0.0.1:80`. */
  readonly backends: readonly string[];
}

/**
 * What is loaded.
 * @param pins the directory that it was loaded with
 * @returns undefined where nothing is
 * @throws {LoaderError} where the directory is not ours, or this process may not ask
 * @throws {BpfError}
 */
export function loadBalancerStatus(pins: string): Status | undefined {
  checkHost();
  const directory = PinDirectory.open(pins, OWNER);
  return directory === undefined || directory.names("links").length === 0 ? undefined : reportStatus(directory);
}

/** The same, of a directory that is open. */
export function reportStatus(pins: PinDirectory): Status {
  const maps = controlMaps(pins);
  const reverse = pins.map(declared.reverseSk);
  try {
    return {
      pins: pins.directory,
      programs: programStatus(pins),
      maps: mapStatus(pins),
      services: serviceStatus(maps),
      reverseEntries: { used: reverse.count(), max: reverse.maxEntries },
    };
  } finally {
    for (const map of [...Object.values(maps), reverse]) map.close();
  }
}

function programStatus(pins: PinDirectory): ProgramStatus[] {
  const paths = new Map<bigint, string | undefined>();
  const pathOf = (id: bigint) => {
    if (!paths.has(id)) paths.set(id, cgroupPath(id));
    return paths.get(id);
  };
  return pins.links()
    .sort((a, b) => attachOrder(b.link.attachType) - attachOrder(a.link.attachType))
    .map(({ name, link, program }) => {
      const { cgroupId = 0n } = link;
      return {
        name,
        hook: hookText(link.attachType),
        id: link.programId,
        linkId: link.id,
        cgroup: cgroupId === 0n ? undefined : pathOf(cgroupId),
        attached: cgroupId !== 0n,
        instructions: (program?.xlatedLength ?? 0) / SLOT_SIZE,
        jitedBytes: program?.jitedLength ?? 0,
        runs: program !== undefined && program.runCount > 0n
          ? { count: program.runCount, meanNs: Number(program.runTimeNs) / Number(program.runCount) }
          : undefined,
      };
    });
}

function mapStatus(pins: PinDirectory): MapStatus[] {
  const order = loadBalancerMaps.map(({ name }) => name);
  return pins.names("maps")
    .sort((a, b) => order.indexOf(a) - order.indexOf(b))
    .map((name) => {
      const { id, type, maxEntries } = pins.mapInfo(name);
      return { name, id, type: mapTypeText(type), maxEntries };
    });
}

function serviceStatus(maps: ControlMaps): ServiceStatus[] {
  return readState(maps).services
    .toSorted((a, b) => a.value.revNatIndex - b.value.revNatIndex)
    .map(({ key, value, name, backends }) => ({
      name,
      address: key.address,
      port: key.port,
      protocol: protocolOf(key.protocol) ?? String(key.protocol),
      revNatIndex: value.revNatIndex,
      backends: backends.map(endpointText),
    }));
}

/** A map type's name in linux/bpf.h, in small letters: `lru_hash`. */
export function mapTypeText(type: number): string {
  return Object.entries(MapType).find(([, value]) => value === type)?.[0].toLowerCase() ?? String(type);
}
