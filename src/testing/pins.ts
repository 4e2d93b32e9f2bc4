import { existsSync } from "node:fs";
import { PinDirectory } from "../loader/index.ts";

let made = 0;

/** Runs `work` with a path below /sys/fs/bpf that does not exist yet, then removes the pins there. */
export async function withPins<T>(owner: string, work: (directory: string) => T | Promise<T>): Promise<T> {
  const directory = `/sys/fs/bpf/tsbpf-test-${process.pid}-${made++}`;
  try {
    return await work(directory);
  } finally {
    if (existsSync(directory)) PinDirectory.open(directory, owner)?.removeAll();
  }
}
