/** Options that several subcommands have. */
import { Option } from "commander";

/** Where programs, links and maps are pinned if nothing else is said. */
export const DEFAULT_PINS = "/sys/fs/bpf/tsbpf";

export const pinOption = (): Option =>
  new Option("--pin <directory>", "directory of the pins, on a BPF file system").default(DEFAULT_PINS);

export const jsonOption = (): Option => new Option("--json", "print one JSON document for other programs to read");
