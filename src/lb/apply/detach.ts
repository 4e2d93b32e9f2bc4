/** Detaches the load balancer's programs so that no answer in flight loses its translation. */
import { setTimeout } from "node:timers/promises";
import type { PinDirectory } from "../../loader/index.ts";
import { attachOrder, roleOf } from "../host/index.ts";
import { optionsFrom } from "./built-options.ts";
import { familyMaps } from "./maps.ts";
import { pinnedFamilies } from "./pins.ts";

/**
 * The grace for answers in flight, in milliseconds: how long programs that
 * translate replies stay after the programs that make flows are detached.
 */
export const DETACH_GRACE = 2000;

/** Milliseconds between two looks at the reverse maps. */
const PAUSE = 20;

/**
 * Detaches pinned links in the reverse of the order of attaching. Between the
 * programs that make flows and those that translate replies it waits
 * `DETACH_GRACE`, or until no socket has a flow.
 *
 * @param names the links; others stay
 * @param options `now` skips the grace: answers in flight come from the backend's address. `flowsInReverseMap`: see
 * the function of that name
 * @returns the names of the detached links
 * @throws {BpfError}
 */
export async function detachLinks(
  pins: PinDirectory,
  names: readonly string[],
  { now = false, flowsInReverseMap }: { readonly now?: boolean | undefined; readonly flowsInReverseMap: boolean },
): Promise<string[]> {
  const links = pins
    .links()
    .filter(({ name }) => names.includes(name))
    .sort((a, b) => attachOrder(b.link.attachType) - attachOrder(a.link.attachType));
  const detached: string[] = [];
  let waited = now;
  for (const { name, link } of links) {
    if (!waited && link.cgroupId !== 0n && roleOf(link.attachType) === "translatesReplies") {
      await answersArrive(() => !flowsInReverseMap || hasReverseEntries(pins));
      waited = true;
    }
    if (pins.removeLink(name)) detached.push(name);
  }
  return detached;
}

/** Waits for the grace, or until no socket has a flow. */
async function answersArrive(mayHaveFlows: () => boolean): Promise<void> {
  for (const end = performance.now() + DETACH_GRACE; performance.now() < end; await setTimeout(PAUSE))
    if (!mayHaveFlows()) return;
}

/** Whether any socket has a reverse entry. Sockets delete theirs when they close. */
function hasReverseEntries(pins: PinDirectory): boolean {
  return pinnedFamilies(pins).some((family) => {
    using reverse = pins.map(familyMaps[family].reverseSk);
    return reverse.keys().next().done !== true;
  });
}

/** Whether every flow of programs built like this has a reverse entry. False if the text is not of a build. */
export function flowsInReverseMap(buildText: string): boolean {
  try {
    return optionsFrom(buildText).recentInReverseMap;
  } catch {
    return false;
  }
}
