import type { Command } from "commander";

/** Runs a subcommand in this process, which is faster than starting one, and returns its standard output. */
export async function runCommand(command: Command, ...args: readonly string[]): Promise<string> {
  const write = process.stdout.write;
  let output = "";
  process.stdout.write = (text: string | Uint8Array) => {
    output += String(text);
    return true;
  };
  try {
    await command
      .exitOverride()
      .configureOutput({ writeErr: () => {} })
      .parseAsync(args, { from: "user" });
  } finally {
    process.stdout.write = write;
  }
  return output;
}
