/** Whether a monitor listens, as any process can see. */
import { join } from "node:path";
import { linux, openDirectory, tryLock, type ProgramInfo } from "../../kernel/index.ts";
import { isSwitch, type PinDirectory } from "../../loader/index.ts";

/** Whether a program calls one that emits events, while a monitor listens. @throws {BpfError} */
export function callsOthers({ mapIds }: ProgramInfo): boolean {
  return mapIds.some((id) => {
    const map = linux.openById("map", id);
    try {
      return map !== undefined && isSwitch(linux.mapInfo(map));
    } finally {
      map?.close();
    }
  });
}

/** A directory that exists as long as the load balancer. A monitor holds its lock; others hold it briefly. */
export function listenersDirectory(pins: PinDirectory): string {
  return join(pins.directory, "links");
}

/** `on`: a monitor listens, and programs emit events. */
export type EventsState = "off" | "on";

/** Whether a monitor listens. @throws {BpfError} */
export function eventsState(pins: PinDirectory): EventsState {
  // After a kill the programs still try the call, in vain.
  if (!pins.links().some(({ program }) => program !== undefined && callsOthers(program))) return "off";
  const lock = openDirectory(listenersDirectory(pins));
  try {
    return tryLock(lock) ? "off" : "on";
  } finally {
    lock.close();
  }
}
