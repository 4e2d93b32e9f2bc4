import { arch, release, type } from "node:os";
import { Command } from "commander";
import { jsonOption } from "../options.ts";
import { print, printJson } from "../output.ts";
import { packageVersion } from "../package-file.ts";

export function command(): Command {
  return new Command("version")
    .description("Print the versions of tsbpf, of Node and of the running kernel, as a report of a fault needs them.")
    .addOption(jsonOption())
    .action(async ({ json }: { json?: true }) => {
      const versions = { tsbpf: packageVersion(), node: process.version, kernel: `${type()} ${release()} ${arch()}` };
      if (json) return printJson(versions);
      for (const [name, version] of Object.entries(versions)) await print(`${name.padEnd(6)}  ${version}\n`);
    });
}
