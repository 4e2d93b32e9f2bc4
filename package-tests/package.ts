/**
 * `npm run test:package`: packs the package, installs the tarball into empty projects and uses it there, with each
 * version of Node and TypeScript that is supported, and without a C++ toolchain. Takes minutes, and installs other
 * versions of Node and TypeScript below `.cache`.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { build } from "esbuild";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { whyNoKernel } from "../src/testing/index.ts";
import {
  installNodes,
  NODE_VERSIONS,
  pack,
  Project,
  removeProjects,
  repository,
  run,
  toolsWithoutCompiler,
  type Outcome,
} from "./place.ts";

/** Versions of TypeScript that the declarations are checked with. */
const TYPESCRIPT_VERSIONS = ["5.4", "5.5", "5.6", "5.7", "5.8", "5.9", "6.0", "7.0"] as const;
/** The first version that accepts a `require` of an ES module. */
const REQUIRE_SINCE = "5.8";

const DOORS = ["", "/asm", "/btf", "/elf", "/kernel", "/lb", "/sim"];

installNodes();
const packed = pack();
const paths = new Set(packed.files.map(({ path }) => path));

function succeeded(outcome: Outcome, stdout?: string): void {
  assert.is(outcome.status, 0, outcome.stdout + outcome.stderr);
  if (stdout !== undefined) assert.is(outcome.stdout, stdout, outcome.stderr);
}

const contents = suite("package: contents");

contents("only these kinds of files, and no tests", () => {
  const kinds = [
    /^(package\.json|README\.md|CHANGELOG\.md|CONTRIBUTING\.md|LICENSE)$/,
    /^dist\/(src|programs)\/.*\.(js|d\.ts)(\.map)?$/,
    /^(src|programs)\/.*\.ts$/,
    /^docs\/.*\.(md|svg)$/,
    /^examples\/.*\.(ts|md|yaml)$/,
  ];
  assert.equal(
    [...paths].filter((path) => !kinds.some((kind) => kind.test(path))),
    [],
  );
  assert.equal(
    [...paths].filter((path) => /\.test\.|\/(testing|testdata|snapshots)\//.test(path)),
    [],
  );
});

contents("each source is included as JavaScript and declarations, with maps back to it", () => {
  const sources = [...paths].filter((path) => /^(src|programs)\//.test(path));
  assert.ok(sources.length > 300, `${sources.length} sources`);
  for (const source of sources) {
    const base = `dist/${source.replace(/\.ts$/, "")}`;
    for (const extension of ["js", "d.ts"]) {
      const map = `${base}.${extension}.map`;
      assert.ok(paths.has(`${base}.${extension}`) && paths.has(map), `${base}.${extension} and its map`);
      const { sources: named } = JSON.parse(readFileSync(join(repository, map), "utf8")) as { sources: string[] };
      assert.equal(
        named.map((name) => normalize(join(dirname(map), name))),
        [source],
      );
    }
  }
  assert.is([...paths].filter((path) => path.startsWith("dist/")).length, 4 * sources.length);
});

contents("the targets of README.md and package.json are included", () => {
  const { bin, exports } = JSON.parse(readFileSync(join(repository, "package.json"), "utf8")) as {
    bin: Record<string, string>;
    exports: Record<string, string | Record<string, string>>;
  };
  assert.equal(Object.keys(exports), [...DOORS.map((door) => `.${door}`), "./package.json"]);
  const targets = [bin, ...Object.values(exports)].flatMap((target) =>
    typeof target === "string" ? [target] : Object.values(target),
  );
  for (const target of targets) assert.ok(paths.has(normalize(target)), target);
  const links = [...readFileSync(join(repository, "README.md"), "utf8").matchAll(/\]\(([^)#]+)[^)]*\)/g)];
  for (const [, link] of links)
    assert.ok(link!.startsWith("https://") || paths.has(link!), `README.md links to ${link}`);
  assert.ok(paths.has("examples/quickstart.yaml"));
});

contents("its size", () => {
  process.stdout.write(`${paths.size} files, ${packed.size} bytes packed, ${packed.unpackedSize} unpacked\n`);
  assert.ok(packed.size < 1_600_000, `${packed.size} bytes`);
});

contents.run();

const installed = suite("package: installed");

for (const version of NODE_VERSIONS) {
  installed(`Node ${version}: doors, tsx, require, the command`, () => {
    const project = Project.create(`node${version}`, version);
    succeeded(project.install(packed.tarball));
    succeeded(project.node("doors.mjs"), "doors: ok\n");
    succeeded(project.node("balancer.mjs"), "balancer: ok\n");
    succeeded(project.node("--import", "tsx", "doors.ts"));
    succeeded(
      project.node("--no-warnings", "--eval", 'console.log(typeof require("tsbpf").load, typeof require("tsbpf/lb"))'),
      "function object\n",
    );
    const command = "node_modules/.bin/tsbpf";
    succeeded(project.node(command, "build", "doors.ts"));
    assert.ok(project.has("doors.bpf.o"));
    assert.match(project.node(command, "build", "doors.ts", "--emit", "asm").stdout, /; doors\.ts:\d+/);
    assert.match(project.node(command, "--help").stdout, /load/);
    if (whyNoKernel() === undefined) succeeded(project.node("loads.mjs"), "loaded\n");
    // One copy of each native package, whoever asks for it.
    const list = project.npm("ls", "--all", "--parseable").stdout;
    assert.is(list.match(/ref-napi$/gm)?.length, 1, list);
  });
}

installed("in the checkout the built command builds the repository's own programs", () => {
  const file = join(repository, ".cache/package-tests/own.ts");
  writeFileSync(
    file,
    `import { defaultOptions, loadBalancerPrograms } from "../../programs/index.ts";
export default loadBalancerPrograms(defaultOptions);
`,
  );
  const args = [join(repository, "dist/src/cli/tsbpf.js"), "build", file, "--emit", "asm"];
  const outcome = run(process.execPath, args, { cwd: repository });
  succeeded(outcome);
  assert.match(outcome.stdout, /^; section cgroup\/connect4/m);
});

installed("TypeScript: every door, without skipLibCheck", () => {
  const project = Project.create("typescript", "20");
  const alias = (version: string) => `typescript-${version}`;
  const compilers = TYPESCRIPT_VERSIONS.map((version) => `${alias(version)}@npm:typescript@${version}`);
  succeeded(project.install("--ignore-scripts", packed.tarball, "@types/node@20", ...compilers));
  for (const version of TYPESCRIPT_VERSIONS) {
    for (const module of ["nodenext", "bundler"] as const) {
      const files = ["doors.ts"];
      if (module === "nodenext" && TYPESCRIPT_VERSIONS.indexOf(version) >= TYPESCRIPT_VERSIONS.indexOf(REQUIRE_SINCE))
        files.push("required.cts");
      const config = `tsconfig.${version}.${module}.json`;
      project.write(
        config,
        JSON.stringify({
          compilerOptions: {
            target: "es2022",
            ...(module === "nodenext" ? { module } : { module: "esnext", moduleResolution: module }),
            strict: true,
            skipLibCheck: false,
            noEmit: true,
          },
          files,
        }),
      );
      const outcome = project.node(`node_modules/${alias(version)}/bin/tsc`, "-p", config, "--pretty", "false");
      assert.is(outcome.status, 0, `TypeScript ${version}, ${module}:\n${outcome.stdout}`);
    }
  }
});

for (const [format, extension] of [
  ["esm", "mjs"],
  ["cjs", "cjs"],
] as const) {
  installed(`bundled by esbuild, format ${format}`, async () => {
    const project = Project.create(`bundle-${format}`, "20");
    succeeded(project.install("--ignore-scripts", packed.tarball));
    for (const [file, stdout] of [
      ["doors", "doors: ok\n"],
      ["balancer", "balancer: ok\n"],
    ] as const) {
      const { warnings } = await build({
        absWorkingDir: project.directory,
        entryPoints: [`${file}.mjs`],
        outfile: `bundle/${file}.${extension}`,
        bundle: true,
        platform: "node",
        format,
        target: "node20",
        logLevel: "silent",
        // This CommonJS package requires Node's modules, which an ES module of esbuild's cannot.
        external: format === "esm" ? ["yaml"] : [],
      });
      assert.equal(
        warnings.map(({ text }) => text).filter((text) => !text.startsWith('"import.meta" is not available')),
        [],
      );
      succeeded(project.node(`bundle/${file}.${extension}`), stdout);
    }
  });
}

installed("without a C++ toolchain all but loading works, and loading says what repairs it, which does", () => {
  const bare = Project.create("bare", "22", toolsWithoutCompiler());
  for (const command of ["g++", "cc", "make", "python3"])
    assert.not.equal(bare.run("sh", "-c", `command -v ${command}`).status, 0, `${command} is on the PATH`);
  succeeded(bare.install(packed.tarball, "typescript@5.9", "@types/node@22"));
  assert.not.ok(bare.has("node_modules/@2060.io/ffi-napi/build"), "a binary has been built");
  succeeded(bare.node("doors.mjs"), "doors: ok\n");
  succeeded(bare.node("--import", "tsx", "doors.ts"));
  succeeded(bare.node("node_modules/.bin/tsbpf", "build", "doors.ts"));
  succeeded(bare.node("node_modules/typescript/bin/tsc", "--noEmit", "--strict", "--module", "nodenext", "doors.ts"));
  const { stdout } = bare.node("loads.mjs");
  assert.match(
    stdout,
    /^FfiUnavailableError: .* @2060\.io\/ffi-napi, .* \(apt-get install g\+\+ make python3\) and run npm install\n$/,
  );
  const failed = bare.node("node_modules/.bin/tsbpf", "load");
  assert.is(failed.status, 1);
  assert.match(failed.stderr, /^error: .*apt-get install g\+\+ make python3/);
  assert.not.match(failed.stderr, /\n +at /, "no stack trace");

  const repaired = bare.withTools();
  succeeded(repaired.install());
  assert.ok(repaired.has("node_modules/@2060.io/ffi-napi/build/Release/ffi_bindings.node"));
  assert.not.match(repaired.node("loads.mjs").stdout, "FfiUnavailableError");
});

installed.after(removeProjects);
installed.run();
