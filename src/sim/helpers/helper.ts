import type { HelperName } from "../../asm/index.ts";
import type { MapDefinition } from "../../types/index.ts";
import type { HelperCall, HelperResult } from "../helper-call.ts";
import type { SimulatedSocket } from "../context/socket.ts";
import type { SimulatedMap, SimulatedMaps } from "../maps/index.ts";
import type { Region } from "../memory/region.ts";

/** The current process of a run. */
export interface Task {
  /** The process id (the kernel's thread group id). */
  readonly pid: number;
  /** The thread id. */
  readonly tid: number;
  readonly uid: number;
  readonly gid: number;
  /** Up to 15 bytes. */
  readonly comm: string;
  readonly cgroupId: bigint;
  /** Ids of the cgroups above `cgroupId`, starting at the root. */
  readonly ancestorCgroupIds: readonly bigint[];
}

/** The current run, as helpers see it. */
export interface CurrentRun {
  readonly context: Region;
  readonly socket: SimulatedSocket | undefined;
  readonly packet: Uint8Array | undefined;
  retval: number;
}

/** The simulated kernel, as helpers see it. */
export interface SimulatedKernel {
  readonly maps: SimulatedMaps;
  /** The clock in nanoseconds. */
  time: bigint;
  /** The CPU that runs programs, for per-CPU maps. */
  cpu: number;
  random: () => number;
  task: Task;
  /** Cookie of the first network namespace. */
  readonly netnsCookie: bigint;
  /** Lines printed with `bpf_trace_printk`. */
  readonly trace: string[];
  current: CurrentRun | undefined;
  /** The user-space handle of a map. */
  map<D extends MapDefinition>(definition: D): SimulatedMap<D>;
}

/** A helper that also gets the simulated kernel. */
export type WorldHelper = (call: HelperCall, world: SimulatedKernel) => HelperResult;

/** Helpers by the kernel's names. */
export type HelperTable = Readonly<Partial<Record<HelperName, WorldHelper>>>;
