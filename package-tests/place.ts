/** Where the package's tests run: versions of Node, empty projects, and processes without the caller's npm settings. */
import { execFileSync, spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const repository = fileURLToPath(new URL("../", import.meta.url));
const cache = join(repository, ".cache/package-tests");

/** Versions of Node that the package is tested with. */
export const NODE_VERSIONS = ["20", "22", "24"] as const;
export type NodeVersion = (typeof NODE_VERSIONS)[number];

/** npm's own script, to be run by any Node. */
const npm = process.env["npm_execpath"] ?? realpathSync(execFileSync("which", ["npm"], { encoding: "utf8" }).trim());

/** The directory of a version of Node: its `bin`, and its headers, which a native package is built with. */
const nodeDirectory = (version: NodeVersion): string => join(cache, "node/node_modules", `node${version}`);

export const nodeOf = (version: NodeVersion): string => join(nodeDirectory(version), "bin/node");

/** Installs each version of Node from its npm package, once. */
export function installNodes(): void {
  if (NODE_VERSIONS.every((version) => existsSync(nodeOf(version)))) return;
  const directory = join(cache, "node");
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, "package.json"), "{}");
  const packages = NODE_VERSIONS.map((version) => `node${version}@npm:node-linux-${process.arch}@${version}`);
  const outcome = run(process.execPath, [npm, "install", ...QUIET, ...packages], { cwd: directory });
  if (outcome.status !== 0) throw new Error(`cannot install Node ${NODE_VERSIONS.join(", ")}: ${outcome.stderr}`);
}

const QUIET = ["--no-audit", "--no-fund", "--loglevel=error"] as const;

export interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end, without what npm and tsx have put into this process's environment. */
export function run(
  command: string,
  args: readonly string[],
  { cwd, env = {} }: { readonly cwd: string; readonly env?: Readonly<Record<string, string>> },
): Outcome {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^(npm_(?!config_(registry|cache|https?_proxy)$)|INIT_CWD$|NODE_OPTIONS$|TSX_)/.test(name),
  );
  const { status, stdout, stderr } = spawnSync(command, args, {
    cwd,
    encoding: "utf8",
    maxBuffer: 1 << 28,
    env: { ...Object.fromEntries(inherited), ...env },
  });
  return { status, stdout, stderr };
}

export interface PackedFile {
  readonly path: string;
}

/** The package as npm would publish it. */
export interface Packed {
  readonly tarball: string;
  readonly size: number;
  readonly unpackedSize: number;
  readonly files: readonly PackedFile[];
}

/** Builds and packs the package. */
export function pack(): Packed {
  const destination = join(cache, "tarball");
  rmSync(destination, { recursive: true, force: true });
  mkdirSync(destination, { recursive: true });
  for (const args of [
    ["run", "build"],
    ["pack", "--ignore-scripts", "--json", "--pack-destination", destination],
  ]) {
    const { status, stdout, stderr } = run(process.execPath, [npm, ...args], { cwd: repository });
    if (status !== 0) throw new Error(`npm ${args[0]} failed: ${stdout}${stderr}`);
    if (args[0] === "pack") {
      const [packed] = JSON.parse(stdout) as [Packed & { readonly filename: string }];
      return { ...packed, tarball: join(destination, packed.filename) };
    }
  }
  throw new Error("nothing was packed");
}

/** Outside the repository, whose own packages Node would find from below it. */
const projects = mkdtempSync(join(tmpdir(), "tsbpf-package-tests-"));

export function removeProjects(): void {
  rmSync(projects, { recursive: true, force: true });
}

/** An empty project, with the package tests' files in it. */
export class Project {
  readonly directory: string;
  readonly #version: NodeVersion;
  readonly #path: string;

  private constructor(directory: string, version: NodeVersion, tools: string) {
    this.directory = directory;
    this.#version = version;
    this.#path = [dirname(nodeOf(version)), tools].join(delimiter);
  }

  /** @param tools the PATH, to which the project's Node is added; by default the caller's */
  static create(name: string, version: NodeVersion, tools = process.env["PATH"]!): Project {
    const project = new Project(join(projects, name), version, tools);
    rmSync(project.directory, { recursive: true, force: true });
    mkdirSync(project.directory, { recursive: true });
    cpSync(join(repository, "package-tests/project"), project.directory, { recursive: true });
    project.write("package.json", JSON.stringify({ name, private: true, type: "module" }));
    return project;
  }

  /** The same project, with the caller's PATH. */
  withTools(): Project {
    return new Project(this.directory, this.#version, process.env["PATH"]!);
  }

  write(file: string, text: string): void {
    writeFileSync(join(this.directory, file), text);
  }

  has(path: string): boolean {
    return existsSync(join(this.directory, path));
  }

  /** Runs `npm install` with this project's Node, whose own headers native packages are built with. */
  install(...packages: readonly string[]): Outcome {
    return this.npm("install", ...QUIET, ...packages);
  }

  npm(...args: readonly string[]): Outcome {
    return this.node(npm, ...args);
  }

  node(...args: readonly string[]): Outcome {
    return this.run(nodeOf(this.#version), ...args);
  }

  run(command: string, ...args: readonly string[]): Outcome {
    return run(command, args, {
      cwd: this.directory,
      env: {
        PATH: this.#path,
        NO_COLOR: "1",
        npm_config_nodedir: nodeDirectory(this.#version),
        // As README.md asks for: the native package's C++ is not C++20.
        ...(Number(this.#version) >= 24 && { CXXFLAGS: "-std=gnu++17" }),
      },
    });
  }
}

/** Commands that a native package's build needs, and that a machine without a toolchain lacks. */
const TOOLCHAIN = /^(.*-)?(g\+\+|gcc|cc|c\+\+|cpp|clang|clang\+\+|make|gmake|ninja|ld|as|python[\d.]*)(-[\d.]+)?$/;

/** A directory of the machine's commands without its C++ toolchain. */
export function toolsWithoutCompiler(): string {
  const directory = join(projects, "tools");
  mkdirSync(directory);
  for (const folder of ["/usr/bin", "/bin"]) {
    for (const name of readdirSync(folder)) {
      if (TOOLCHAIN.test(name) || name === "node" || existsSync(join(directory, name))) continue;
      symlinkSync(join(folder, name), join(directory, name));
    }
  }
  return directory;
}
