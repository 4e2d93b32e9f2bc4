/** Reading files that a user names: a wrong kind of file or an endless one is an error, not a wait without end. */
import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from "node:fs";

/** The most bytes that a command reads from one file: 64 MiB. */
export const MAX_FILE_BYTES = 64 * 1024 * 1024;
const CHUNK = 64 * 1024;

export interface ReadLimits {
  /** Default: `MAX_FILE_BYTES`. */
  readonly maxBytes?: number;
  /** Whether pipes, sockets and devices are refused, which may have no end. Default: false. */
  readonly regularOnly?: boolean;
}

/**
 * Reads a whole file.
 * @param file a path, or the descriptor of an open file
 * @throws {Error} whose message is the reason in words: "there is no such file", "it is a directory", …
 */
export function readLimited(
  file: string | number,
  { maxBytes = MAX_FILE_BYTES, regularOnly }: ReadLimits = {},
): Buffer {
  let fd: number | undefined;
  try {
    // Without O_NONBLOCK opening a FIFO waits for its writer.
    fd =
      typeof file === "number" ? file : openSync(file, constants.O_RDONLY | (regularOnly ? constants.O_NONBLOCK : 0));
    const stats = fstatSync(fd);
    if (stats.isDirectory()) throw new Error("it is a directory");
    if (regularOnly && !stats.isFile()) throw new Error(`it is ${kindOf(stats)}, not a regular file`);
    if (stats.isFile() && stats.size > maxBytes) throw tooLarge(maxBytes);
    return readAll(fd, maxBytes);
  } catch (error) {
    throw new Error(fileReason(error), { cause: error });
  } finally {
    if (fd !== undefined && typeof file !== "number") closeSync(fd);
  }
}

/** Why an operation on a file failed, in words, for the end of a message. */
export function fileReason(error: unknown): string {
  const { code = "", message } = error as NodeJS.ErrnoException;
  return reasons[code] ?? message;
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  ENOTDIR: "a part of its path is not a directory",
  ELOOP: "its path has a loop of symbolic links",
  ENAMETOOLONG: "its name is too long",
  EACCES: "permission denied",
  EPERM: "not permitted",
  EISDIR: "it is a directory",
  EROFS: "the file system is read-only",
  ENOSPC: "no space left on the device",
  EDQUOT: "the disk quota is used up",
  EFBIG: "the file would become too large",
  EIO: "input or output error",
  ENXIO: "it is a socket, not a file",
};

function readAll(fd: number, maxBytes: number): Buffer {
  const chunks: Buffer[] = [];
  for (let total = 0; ; ) {
    const chunk = Buffer.allocUnsafe(CHUNK);
    const count = readSome(fd, chunk);
    if (count === 0) return Buffer.concat(chunks, total);
    total += count;
    if (total > maxBytes) throw tooLarge(maxBytes);
    chunks.push(chunk.subarray(0, count));
  }
}

/** Waits for data where standard input is in non-blocking mode, as another process may have set it. */
function readSome(fd: number, chunk: Buffer): number {
  for (;;) {
    try {
      return readSync(fd, chunk);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
    }
  }
}

function kindOf(stats: Stats): string {
  if (stats.isFIFO()) return "a pipe";
  if (stats.isSocket()) return "a socket";
  return "a device";
}

const tooLarge = (maxBytes: number): Error =>
  new Error(`it has more than ${maxBytes.toLocaleString("en-GB")} bytes, the limit`);
