/**
 * Whether only this user and root can change what is pinned in a directory. Whoever else could write to it, or to a
 * directory above it, could put other programs, maps or links in the place of ours.
 */
import { lstatSync, realpathSync, statSync, type Stats } from "node:fs";
import { dirname } from "node:path";
import { LoaderError } from "./error.ts";

const STICKY = 0o1000;
const WRITABLE_BY_OTHERS = 0o022;

/**
 * Checks the directories from the root of the file system's mount down to `path`, each in turn. What is checked
 * cannot be replaced by others any more, so that the check holds for what follows it.
 *
 * Above the pin directory, the sticky bit is enough (as in /tmp): others can make files there, but cannot rename or
 * remove ours. The pin directory and what is in it must not be writable by others at all.
 *
 * @param path an existing directory, without symbolic links
 * @param pins the pin directory; `path` is it, or above or below it
 * @throws {LoaderError} naming the directory, its owner or mode, and the repair
 */
export function requireTrusted(path: string, pins: string): void {
  for (const directory of fromMount(path)) {
    const stats = lstatSync(directory);
    if (!stats.isDirectory())
      throw new LoaderError(`cannot use pin directory ${pins}: ${directory} is not a directory`);
    const why = whyNotTrusted(directory, stats, directory === pins || directory.startsWith(`${pins}/`));
    if (why === undefined) continue;
    throw new LoaderError(`cannot use pin directory ${pins}: ${why.reason}`, { hint: why.hint });
  }
}

function whyNotTrusted(
  directory: string,
  { uid, mode }: Pick<Stats, "uid" | "mode">,
  isOurs: boolean,
): { reason: string; hint: string } | undefined {
  const elsewhere = "or choose a directory that only root can write to";
  if (uid !== 0 && uid !== process.geteuid?.())
    return {
      reason: `${directory} belongs to user ${uid}, who could replace what is pinned`,
      hint: isOurs ? `look at it and remove it, ${elsewhere}` : `chown root ${directory}, ${elsewhere}`,
    };
  if ((mode & WRITABLE_BY_OTHERS) === 0 || (!isOurs && (mode & STICKY) !== 0)) return undefined;
  return {
    reason: `other users can write to ${directory} (mode ${(mode & 0o7777).toString(8).padStart(4, "0")})`,
    hint: `look at what it holds, then chmod ${isOurs ? "0700" : "go-w"} ${directory}, ${elsewhere}`,
  };
}

/** The directories on the way from the root of the mount to `path`. */
function fromMount(path: string): string[] {
  const directories = [path];
  const { dev } = statSync(path);
  for (;;) {
    const parent = dirname(directories[0]!);
    if (parent === directories[0] || statSync(parent).dev !== dev) return directories;
    directories.unshift(parent);
  }
}

/** The path without symbolic links; its last parts need not exist. */
export function withoutSymbolicLinks(existing: string, path: string): string {
  const real = realpathSync(existing);
  return `${real === "/" && path !== existing ? "" : real}${path.slice(existing === "/" ? 0 : existing.length)}`;
}
