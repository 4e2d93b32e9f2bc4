import type { Command } from "commander";

/** A subcommand: the line that `--help` shows, and where the rest is. */
interface CommandEntry {
  readonly summary: string;
  readonly load: () => Promise<{ command: () => Command }>;
}

export const commands: Readonly<Record<string, CommandEntry>> = {
};
