import { spawn } from "node:child_process";
import { CommandError } from "../../src/cli/errors.ts";

/**
 * Runs a system program to completion and returns its output.
 *
 * @throws {CommandError} if it is missing or fails; the message ends in its last lines.
 */
export function run(program: string, args: readonly string[], options: { cwd?: string } = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      ...options,
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C" },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    let messages = "";
    child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (messages += chunk.toString()));
    child.on("error", (error) => reject(new CommandError(`cannot run ${program}: ${error.message}`, { cause: error })));
    child.on("close", (status) => {
      if (status === 0) return resolve(output);
      const tail = (messages.trim() || output.trim()).split("\n").slice(-5).join("\n");
      reject(
        new CommandError(
          `${program} ${args.filter((arg) => !arg.startsWith("-o") && !arg.includes("::")).join(" ")} failed ` +
            `(exit status ${status}):\n${tail}`,
        ),
      );
    });
  });
}
