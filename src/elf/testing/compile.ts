import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { runTool, withDirectory } from "../../testing/index.ts";

export const CLANG = "clang-19";

const testdata = fileURLToPath(new URL("../testdata/", import.meta.url));

/** The object file of `testdata/NAME.bpf.c`. @throws {Error} with what clang says */
export function compile(name: string): Uint8Array {
  return compileFile(join(testdata, `${name}.bpf.c`));
}

/** The object file of a C program's text. @throws {Error} with what clang says */
export function compileText(text: string): Uint8Array {
  return withDirectory((directory) => {
    const file = join(directory, "text.bpf.c");
    writeFileSync(file, text);
    return compileFile(file);
  });
}

function compileFile(source: string): Uint8Array {
  return withDirectory((directory) => {
    const object = join(directory, "object.o");
    runTool(
      CLANG,
      "-O2",
      "-g",
      "-target",
      "bpf",
      "-mcpu=v3",
      "-Wall",
      "-Werror",
      "-I",
      testdata,
      "-c",
      source,
      "-o",
      object,
    );
    return readFileSync(object);
  });
}
