import { mkdtempSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { linux, unmount } from "../kernel/index.ts";

/** Runs `work` with a new BPF file system, then unmounts it with everything pinned in it. */
export async function withBpfFileSystem<T>(work: (directory: string) => T | Promise<T>): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), "tsbpf-bpffs-"));
  try {
    linux.mountBpfFileSystem(directory);
    try {
      return await work(directory);
    } finally {
      unmount(directory);
    }
  } finally {
    rmdirSync(directory);
  }
}
