import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { CommandError } from "../errors.ts";
import { checkTypes } from "./type-check.ts";

const test = suite<{ project: string }>("cli: --types");

const MODULES = fileURLToPath(new URL("../../../node_modules", import.meta.url));

test.before((context) => {
  const project = mkdtempSync(join(tmpdir(), "tsbpf-types-"));
  context.project = project;
  const file = (name: string, text: string) => writeFileSync(join(project, name), text);
  mkdirSync(join(project, "src"));
  file("package.json", '{ "type": "module" }');
  file("src/good.ts", 'import { limit } from "./limit.ts";\nexport const port: number = limit;\n');
  file("src/limit.ts", "export const limit = 80;\n");
  file("src/bad.ts", 'export const port: number = "80";\n');
  file("src/imports-bad.ts", 'export { port } from "./bad.ts";\n');
  file("src/loose.ts", "export const same = (value) => value;\n");
});
test.after(({ project }) => rmSync(project, { recursive: true }));

const failure = (file: string): Promise<CommandError | undefined> =>
  checkTypes(file).then(
    () => undefined,
    (error: unknown) => error as CommandError,
  );

test("a project without TypeScript is told to install it", async ({ project }) => {
  const error = await failure(join(project, "src/good.ts"));
  assert.match(error!.message, /^cannot check the types of .*good\.ts: its project has no TypeScript$/);
  assert.is(error!.hint, "npm install --save-dev typescript");
});

for (const version of ["typescript", "typescript-classic"]) {
  test(`${version} checks a file and what it imports, and leaves nothing behind`, async ({ project }) => {
    const modules = join(project, "node_modules");
    mkdirSync(modules);
    symlinkSync(join(MODULES, version), join(modules, "typescript"));
    try {
      assert.is((await failure(join(project, "src/good.ts")))?.message, undefined);
      for (const file of ["src/bad.ts", "src/imports-bad.ts"]) {
        const error = await failure(join(project, file));
        assert.match(error!.message, new RegExp(`^.*${file} has type errors\n.*src/bad\\.ts.1[,:]14.*TS2322`));
      }
      // The settings are the project's, whatever they say of output.
      assert.match((await failure(join(project, "src/loose.ts")))!.message, "TS7006");
      writeFileSync(
        join(project, "tsconfig.json"),
        JSON.stringify({
          compilerOptions: {
            ...{ strict: false, module: "nodenext", target: "es2022", allowImportingTsExtensions: true },
            ...{ rewriteRelativeImportExtensions: true, composite: true, outDir: "out", rootDir: "elsewhere" },
          },
          include: ["elsewhere"],
        }),
      );
      assert.is((await failure(join(project, "src/loose.ts")))?.message, undefined);
      assert.match((await failure(join(project, "src/bad.ts")))!.message, "TS2322");
      assert.equal(readdirSync(join(modules, ".cache/tsbpf")), []);
      assert.equal(readdirSync(project).sort(), ["node_modules", "package.json", "src", "tsconfig.json"]);
    } finally {
      rmSync(join(project, "tsconfig.json"), { force: true });
      rmSync(modules, { recursive: true });
    }
  });
}

test.run();
