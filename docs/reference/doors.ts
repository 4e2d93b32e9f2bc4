/** The package's doors, as package.json names them. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The project's directory, with a slash at its end. */
export const ROOT = fileURLToPath(new URL("../../", import.meta.url));

export interface Door {
  /** `tsbpf`, `tsbpf/asm`. */
  readonly specifier: string;
  /** The source file behind it, relative to the project. */
  readonly file: string;
  /** Its page in docs/api. */
  readonly page: string;
}

let found: Door[] | undefined;

/** Every door, the main one first. */
export function doors(): readonly Door[] {
  return (found ??= readDoors());
}

function readDoors(): Door[] {
  const { name, exports } = JSON.parse(readFileSync(`${ROOT}package.json`, "utf8")) as {
    name: string;
    exports: Record<string, { readonly types?: string }>;
  };
  return Object.entries(exports).flatMap(([path, { types }]): Door[] => {
    const [, module] = /^\.\/dist\/(.*)\.d\.ts$/.exec(types ?? "") ?? [];
    if (module === undefined) return [];
    const specifier = path === "." ? name : `${name}/${path.slice(2)}`;
    return [{ specifier, file: `${module}.ts`, page: `${specifier.replaceAll("/", "-")}.md` }];
  });
}
