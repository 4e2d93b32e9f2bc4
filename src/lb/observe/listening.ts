/** Whether a monitor listens, as any process can see. */
import { join } from "node:path";
import { events } from "../../../programs/index.ts";
import { linux, openDirectory, tryLock, type ProgramInfo } from "../../kernel/index.ts";
import type { PinDirectory } from "../../loader/index.ts";

/** Whether a program emits events. @throws {BpfError} */
export function emitsEvents({ mapIds }: ProgramInfo): boolean {
  return mapIds.some((id) => {
    const map = linux.openById("map", id);
    try {
      return map !== undefined && linux.mapInfo(map).name === events.name;
    } finally {
      map?.close();
    }
  });
}

/** A directory that exists as long as the load balancer. A monitor holds its lock; others hold it briefly. */
export function listenersDirectory(pins: PinDirectory): string {
  return join(pins.directory, "links");
}

/**
 * `off`: the plain programs run. `on`: a monitor listens. `left on`: a monitor
 * was killed, and the programs that emit events still run.
 */
export type EventsState = "off" | "on" | "left on";

/** Whether events are emitted, and whether a monitor listens. @throws {BpfError} */
export function eventsState(pins: PinDirectory): EventsState {
  if (!pins.links().some(({ program }) => program !== undefined && emitsEvents(program))) return "off";
  const lock = openDirectory(listenersDirectory(pins));
  try {
    return tryLock(lock) ? "left on" : "on";
  } finally {
    lock.close();
  }
}
