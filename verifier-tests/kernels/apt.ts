/**
 * Debian packages of other suites, without touching the machine's package lists. The sources are the machine's,
 * rewritten for another suite; lists and downloads go to our own directory.
 */
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CommandError } from "../../src/cli/errors.ts";
import { run } from "./run.ts";

/**
 * Rewrites the machine's entry for its own suite for another suite. Supports both formats of sources.list(5);
 * the result has the entry's format.
 *
 * @param text The contents of one sources file.
 * @param own The machine's suite, such as `bookworm`.
 * @param wanted Another suite, such as `trixie-backports`.
 * @returns `undefined` if the file has no entry for the machine's suite.
 */
export function substituteSuite(
  text: string,
  own: string,
  wanted: string,
): { format: "sources" | "list"; text: string } | undefined {
  const line = text
    .split("\n")
    .find((line) => new RegExp(`^deb\\s+(\\[[^\\]]*\\]\\s+)?\\S+\\s+${own}\\s+.*\\bmain\\b`).test(line));
  if (line !== undefined) {
    const [, head] = /^(deb\s+(?:\[[^\]]*\]\s+)?\S+\s+)\S+/.exec(line)!;
    return { format: "list", text: `${head}${wanted} main\n` };
  }
  const stanza = text
    .split(/\n\s*\n/)
    .find(
      (stanza) =>
        field(stanza, "Types").includes("deb") &&
        field(stanza, "Suites").includes(own) &&
        field(stanza, "Components").includes("main"),
    );
  if (stanza === undefined) return undefined;
  const lines = stanza.split("\n").filter((line) => line.trim() !== "" && !line.startsWith("#"));
  const rewritten = lines.map((line) =>
    line.replace(/^(Suites|Components|Types):.*/i, (_, name: string) => `${name}: ${replacement(name, wanted)}`),
  );
  return { format: "sources", text: `${rewritten.join("\n")}\n` };
}

function replacement(name: string, suite: string): string {
  const values: Record<string, string> = { suites: suite, components: "main", types: "deb" };
  return values[name.toLowerCase()]!;
}

function field(stanza: string, name: string): string[] {
  return new RegExp(`^${name}:(.*)$`, "im").exec(stanza)?.[1]?.trim().split(/\s+/) ?? [];
}

/** The package lists of some suites, in their own directory. */
export interface PackageLists {
  /** Updates the lists. Omits suites that the machine's sources lack. */
  update(): Promise<void>;
  /** Names of packages that match a POSIX regular expression. */
  search(pattern: string): Promise<string[]>;
  /** Downloads packages into a directory and returns the paths of the `.deb` files. */
  download(names: readonly string[], directory: string): Promise<string[]>;
}

/**
 * The package lists of the given suites.
 *
 * @param directory Where lists and settings are kept; created if missing.
 * @throws {CommandError} on a system other than Debian, or if its sources have no entry for its own suite.
 */
export async function packageLists(directory: string, suites: readonly string[]): Promise<PackageLists> {
  const sourceParts = join(directory, "sources");
  await rm(sourceParts, { recursive: true, force: true });
  for (const part of [
    sourceParts,
    join(directory, "lists", "partial"),
    join(directory, "cache", "archives", "partial"),
  ]) {
    await mkdir(part, { recursive: true });
  }
  const own = await ownSuite();
  const files = await sourceFiles();
  for (const suite of suites) {
    const entry = files.map((text) => substituteSuite(text, own, suite)).find((entry) => entry !== undefined);
    if (entry === undefined) {
      throw new CommandError(
        `cannot find kernels: the machine's apt sources have no entry for its own suite ${own}, component main`,
        {
          hint: "add one under /etc/apt/sources.list.d, or give --kernel the path of a kernel image",
        },
      );
    }
    await writeFile(join(sourceParts, `${suite}.${entry.format}`), entry.text);
  }
  const settings = [
    "-o",
    "Dir::Etc::SourceList=/dev/null",
    "-o",
    `Dir::Etc::SourceParts=${sourceParts}`,
    "-o",
    `Dir::State::Lists=${join(directory, "lists")}`,
    "-o",
    `Dir::Cache=${join(directory, "cache")}`,
    // Files in this directory may be unreadable for apt's own user.
    "-o",
    "APT::Sandbox::User=root",
  ];
  return {
    async update() {
      // An archived suite only causes a warning; the other lists are updated.
      await run("apt-get", [...settings, "-qq", "update"]);
    },
    async search(pattern) {
      const output = await run("apt-cache", [...settings, "search", "--names-only", pattern]);
      return output
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => line.split(" ", 1)[0]!);
    },
    async download(names, to) {
      await mkdir(to, { recursive: true });
      await run("apt-get", [...settings, "-qq", "download", ...names], { cwd: to });
      const files = await readdir(to);
      return names.map((name) => {
        const file = files.find((file) => file.startsWith(`${name}_`) && file.endsWith(".deb"));
        if (file === undefined)
          throw new CommandError(`cannot download ${name}: apt-get succeeded, but ${to} has no file of it`);
        return join(to, file);
      });
    },
  };
}

async function ownSuite(): Promise<string> {
  const text = await readFile("/etc/os-release", "utf8").catch(() => "");
  const id = /^ID=(.*)$/m.exec(text)?.[1];
  const suite = /^VERSION_CODENAME=(.*)$/m.exec(text)?.[1];
  if (id !== "debian" || suite === undefined) {
    throw new CommandError("cannot find kernels: they come from apt on Debian, and this is another system", {
      hint: "install vng, and give --kernel the path of a kernel image",
    });
  }
  return suite;
}

async function sourceFiles(): Promise<string[]> {
  const parts = "/etc/apt/sources.list.d";
  const names = (await readdir(parts).catch(() => [])).filter((name) => /\.(list|sources)$/.test(name)).sort();
  const paths = ["/etc/apt/sources.list", ...names.map((name) => join(parts, name))];
  return Promise.all(paths.map((path) => readFile(path, "utf8").catch(() => "")));
}
