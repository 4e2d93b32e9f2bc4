/** Exits quietly when the reader of the output is gone, and with an error when its disk is full. */
import { fileReason } from "../limited-file.ts";
import { toJson } from "./output.ts";

/**
 * Ends the process quietly when the reader of standard output stops early, like `head`, and with one line of
 * error when nothing can be written. Exit handlers run.
 */
export function guardStandardStreams(json: boolean): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0);
    const message = `cannot write to standard output: ${fileReason(error)}`;
    process.stderr.write(json ? `${toJson({ error: { message, code: error.code } })}\n` : `error: ${message}\n`);
    process.exit(1);
  });
  // There is no place left to report to.
  process.stderr.on("error", () => {});
}
