/** Options shared by several subcommands. */
import { Option } from "commander";

/** The default directory for the pins of programs, links and maps. */
export const DEFAULT_PINS = "/sys/fs/bpf/tsbpf";

export const pinOption = (): Option =>
  new Option("--pin <directory>", "pin directory, on a BPF file system").default(DEFAULT_PINS);

export const jsonOption = (): Option => new Option("--json", "print one JSON document");
