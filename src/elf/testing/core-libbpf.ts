/** CO-RE cases through this reader and through libbpf. */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { encode } from "../../asm/index.ts";
import { Btf } from "../../btf/index.ts";
import { runTool, withDirectory } from "../../testing/index.ts";
import { readObject } from "../index.ts";
import { coreCase, type CoreCase } from "./core-case.ts";

/** Requirements of the comparison: libbpf's headers and a C compiler (Debian packages `libbpf-dev`, `gcc`). */
export const LIBBPF_TOOLS = ["gcc"];

const SOURCE = fileURLToPath(new URL("libbpf-core.c", import.meta.url));

export interface Comparison {
  /** Cases that both relocated, or both refused. */
  readonly relocated: number;
  readonly refused: number;
  /** Instructions replaced because the target lacks what they access. */
  readonly missing: number;
  readonly differences: readonly string[];
}

/** Compares the cases of `count` seeds from `seed` on. @throws {Error} where libbpf is not installed */
export function compareWithLibbpf(count: number, seed: number): Comparison {
  return withDirectory((directory) => {
    const harness = join(directory, "libbpf-core");
    runTool("gcc", "-O1", "-w", "-o", harness, SOURCE, "-lbpf");
    const cases = Array.from({ length: count }, (_, i) => coreCase(seed + i));
    const lines = cases.map(({ object, target }, i) => {
      const paths = [join(directory, `${i}.o`), join(directory, `${i}.btf`)] as const;
      writeFileSync(paths[0], object);
      writeFileSync(paths[1], target);
      return paths.join(" ");
    });
    const output = execFileSync(harness, { input: `${lines.join("\n")}\n`, encoding: "utf8", maxBuffer: 1 << 28 });
    const theirs = output.trimEnd().split("\n");
    let [relocated, refused, missing] = [0, 0, 0];
    const differences = cases.flatMap((each, i) => {
      const our = ourVerdict(each);
      missing += our.missing;
      if (our.code !== theirs[i]) {
        return [
          `seed ${seed + i}: ${each.text}\n  libbpf: ${theirs[i]}\n` +
            `  here:   ${our.code}${our.reason === "" ? "" : ` (${our.reason})`}`,
        ];
      }
      if (our.code === "refused") refused++;
      else relocated++;
      return [];
    });
    return { relocated, refused, missing, differences };
  });
}

function ourVerdict({ object, target }: CoreCase): { code: string; reason: string; missing: number } {
  const { programs } = readObject(object, { target: new Btf(target) });
  const { unsupported, instructions } = programs[0]!;
  if (unsupported !== undefined) return { code: "refused", reason: unsupported.message, missing: 0 };
  const missing = instructions.filter(({ reference }) => reference?.kind === "missing").length;
  return { code: Buffer.from(encode(instructions)).toString("hex"), reason: "", missing };
}
