/** Whether somebody listens to translations, as everybody can see. */
import { join } from "node:path";
import { events } from "../../../programs/events.ts";
import { linux, openDirectory, tryLock, type ProgramInfo } from "../../kernel/index.ts";
import type { PinDirectory } from "../../loader/index.ts";

/** Whether a program tells of translations. @throws {BpfError} */
export function tellsEvents({ mapIds }: ProgramInfo): boolean {
  return mapIds.some((id) => {
    const map = linux.openById("map", id);
    try {
      return map !== undefined && linux.mapInfo(map).name === events.name;
    } finally {
      map?.close();
    }
  });
}

/** A directory that is there as long as the load balancer is. A listener has its lock, and nobody else takes it for longer than a moment. */
export function listenersDirectory(pins: PinDirectory): string {
  return join(pins.directory, "links");
}

/**
 * `off`: the plain programs run. `on`: somebody listens. `left on`: nobody does
 * any more, and what tells was not taken away.
 */
export type EventsState = "off" | "on" | "left on";

/** @throws {BpfError} */
export function eventsState(pins: PinDirectory): EventsState {
  if (!pins.links().some(({ program }) => program !== undefined && tellsEvents(program))) return "off";
  const lock = openDirectory(listenersDirectory(pins));
  try {
    return tryLock(lock) ? "left on" : "on";
  } finally {
    lock.close();
  }
}
