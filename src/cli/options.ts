/** Options shared by several subcommands. */
import { Option } from "commander";

/** The default directory for the pins of programs, links and maps. */
export const DEFAULT_PINS = "/sys/fs/bpf/tsbpf";

export const pinOption = (): Option =>
  new Option("--pin <directory>", "pin directory, on a BPF file system").default(DEFAULT_PINS);

export const jsonOption = (): Option => new Option("--json", "print one JSON document");

export const typesOption = (): Option =>
  new Option("--types", "check the file's types first, with the TypeScript of its project").default(false);

/** For commands that import a user's file. */
export const IMPORT_NOTE = `The file is imported: what it does at its top level is done, loading and attaching included.
Guard such code with \`if (isMain(import.meta))\` from "tsbpf".
`;
