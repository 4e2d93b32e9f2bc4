import { spawnSync } from "node:child_process";

let executable: string | undefined;

/** The path of Python 3 itself rather than of a wrapper that picks a version; undefined where it is missing. */
export function findPython(): string | undefined {
  if (executable === undefined) {
    const { status, stdout } = spawnSync("python3", ["-c", "import sys; print(sys.executable)"], { encoding: "utf8" });
    executable = status === 0 ? stdout.trim() : "";
  }
  return executable === "" ? undefined : executable;
}
