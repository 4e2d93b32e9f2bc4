import { realpathSync } from "node:fs";
import { fileURLToPath } from "node:url";

/**
 * Whether a file is the one that Node was started with, and not imported by
 * another. A file that both exports programs and loads them asks this first:
 * `tsbpf build` and `tsbpf check` import it, which would load and attach its
 * programs too. Works under plain Node and under tsx.
 *
 * @param module `import.meta` in an ES module, `module` in a CommonJS one
 *
 * @example
 * ```ts
 * import { attach, cgroup, isMain, load, PROCEED } from "tsbpf";
 *
 * export const pass = cgroup.connect4("pass", () => PROCEED);
 *
 * if (isMain(import.meta)) attach(load([pass]), { cgroup: "/sys/fs/cgroup" });
 * ```
 */
export function isMain(module: { readonly url: string } | { readonly filename: string }): boolean {
  const started = process.argv[1];
  if (started === undefined) return false;
  const file = "filename" in module ? module.filename : fileURLToPath(module.url);
  // Node takes a script's name with or without its extension, a folder for its index, and follows symbolic links.
  const names = [file, file.replace(/\.[cm]?[jt]sx?$/, ""), file.replace(/[/\\]index\.[cm]?[jt]sx?$/, "")];
  return [started, realPath(started)].some((path) => names.includes(path));
}

function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    // Without its extension it names no file.
    return path;
  }
}
