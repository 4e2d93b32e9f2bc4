/** Compiles the C programs that are compared with ours. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Program } from "tsbpf";
import { readObject } from "tsbpf/elf";

/** Compiles a C file with `clang-19 -O2 -mcpu=v3`. */
export function compileC(file: URL): { programs: readonly Program[] } {
  const directory = mkdtempSync(join(tmpdir(), "tsbpf-clang-"));
  try {
    const object = join(directory, "object.o");
    const source = fileURLToPath(file);
    const multiarch = execFileSync("gcc", ["-print-multiarch"], { encoding: "utf8" }).trim();
    execFileSync(
      "clang-19",
      ["-O2", "-mcpu=v3", "-g", "-target", "bpf", `-I/usr/include/${multiarch}`, "-c", source, "-o", object],
      { stdio: ["ignore", "inherit", "inherit"] },
    );
    return { programs: readObject(readFileSync(object)).programs };
  } finally {
    rmSync(directory, { recursive: true });
  }
}
