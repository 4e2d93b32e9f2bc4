/** One copy of the package in a process, and none that is older than its sources. */
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { transformSync } from "esbuild";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { withDirectory } from "./testing/directory.ts";
import { TSX } from "./testing/tsx.ts";

const test = suite("one copy of the package");

const repository = fileURLToPath(new URL("../", import.meta.url));

/** A checkout with only the files under test in it, and its build. */
function makeCheckout(directory: string): void {
  for (const folder of ["src", "programs", "dist/src"]) mkdirSync(join(directory, folder), { recursive: true });
  for (const name of ["one-copy", "build-age"]) {
    const path = join(repository, "src", `${name}.ts`);
    copyFileSync(path, join(directory, "src", `${name}.ts`));
    const { code } = transformSync(readFileSync(path, "utf8"), { loader: "ts" });
    writeFileSync(join(directory, "dist/src", `${name}.js`), code.replace("./build-age.ts", "./build-age.js"));
  }
  writeFileSync(join(directory, "package.json"), '{ "type": "module" }');
  writeFileSync(join(directory, "tsconfig.build.json"), "{}");
  writeFileSync(join(directory, "dist/.built"), "");
}

const HOUR = 3600;
const touch = (path: string, seconds: number): void => utimesSync(path, seconds, seconds);
const now = Date.now() / 1000;

/** The standard error of a process that imports these files in turn. */
function complaint(directory: string, ...files: readonly string[]): string {
  const script = files.map((file) => `await import(${JSON.stringify(join(directory, file))});`).join("\n");
  const { stderr } = spawnSync(process.execPath, [...TSX, "--input-type=module", "--eval", script], {
    encoding: "utf8",
    cwd: tmpdir(),
  });
  return stderr;
}

const SOURCE = "src/one-copy.ts";
const BUILD = "dist/src/one-copy.js";

test("the source alone and the build alone are accepted", () =>
  withDirectory((directory) => {
    makeCheckout(directory);
    touch(join(directory, "dist/.built"), now + HOUR);
    assert.is(complaint(directory, SOURCE, `${SOURCE}?again`), "");
    assert.is(complaint(directory, BUILD, `${BUILD}?again`), "");
  }));

test("the source beside the build is refused, in either order", () =>
  withDirectory((directory) => {
    makeCheckout(directory);
    touch(join(directory, "dist/.built"), now + HOUR);
    for (const files of [
      [SOURCE, BUILD],
      [BUILD, SOURCE],
    ]) {
      const text = complaint(directory, ...files);
      assert.match(text, "tsbpf is loaded twice in this process");
      assert.match(text, `TSX_TSCONFIG_PATH=${directory}/tsconfig.json`);
    }
  }));

test("a build that is incomplete, or older than a source, is refused; an installed package never is", () =>
  withDirectory((directory) => {
    makeCheckout(directory);
    writeFileSync(join(directory, "programs/late.ts"), "");
    const changed = (path: string) => {
      touch(join(directory, "dist/.built"), now + HOUR);
      touch(join(directory, path), now + 2 * HOUR);
      return complaint(directory, BUILD);
    };
    assert.match(
      changed("programs/late.ts"),
      /out of date \(programs\/late\.ts has changed since\): run npm run build/,
    );
    touch(join(directory, "programs/late.ts"), now);
    assert.match(changed("src"), /out of date \(src has changed since\)/);
    rmSync(join(directory, "dist/.built"));
    assert.match(complaint(directory, BUILD), /out of date \(it is not complete\)/);
    rmSync(join(directory, "tsconfig.build.json"));
    assert.is(complaint(directory, BUILD), "");
  }));

test('in the repository "tsbpf" is the source, whatever the working directory', () => {
  const script = `
    const { loadBalancerPrograms } = await import(${JSON.stringify(join(repository, "programs/index.ts"))});
    const { cgroup } = await import(${JSON.stringify(join(repository, "src/index.ts"))});
    console.log(typeof loadBalancerPrograms, typeof cgroup.connect4);`;
  const { stdout, stderr } = spawnSync(process.execPath, [...TSX, "--input-type=module", "--eval", script], {
    encoding: "utf8",
    cwd: tmpdir(),
  });
  assert.equal([stdout, stderr], ["function function\n", ""]);
});

test.run();
