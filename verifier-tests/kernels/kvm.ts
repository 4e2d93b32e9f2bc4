import { spawn } from "node:child_process";
import { access, constants } from "node:fs/promises";

/** More than any machine with working virtualization needs, and short compared with the boots that follow. */
const limitMs = 20_000;

/**
 * Whether hardware virtualization works here, found by trying: the device may exist and open, and guests still
 * fail.
 *
 * Starts a kernel without a root file system; its complaint about that shows that it runs.
 *
 * @param image A kernel image.
 */
export async function kvmWorks(image: string): Promise<boolean> {
  if (
    !(await access("/dev/kvm", constants.R_OK | constants.W_OK).then(
      () => true,
      () => false,
    ))
  )
    return false;
  return new Promise((resolve) => {
    const child = spawn(
      "qemu-system-x86_64",
      [
        "-accel",
        "kvm",
        "-cpu",
        "host",
        "-m",
        "512M",
        "-nodefaults",
        "-display",
        "none",
        "-no-reboot",
        "-serial",
        "stdio",
        "-kernel",
        image,
        "-append",
        "console=ttyS0 panic=-1",
      ],
      { stdio: ["ignore", "pipe", "pipe"] },
    );
    let output = "";
    const decide = (works: boolean) => {
      clearTimeout(limit);
      child.kill("SIGKILL");
      resolve(works);
    };
    const limit = setTimeout(() => decide(false), limitMs);
    const look = (chunk: Buffer) => {
      output += chunk.toString();
      if (output.includes("KVM internal error")) decide(false);
      if (output.includes("Unable to mount root fs")) decide(true);
    };
    child.stdout.on("data", look);
    child.stderr.on("data", look);
    child.on("error", () => decide(false));
    child.on("close", () => decide(output.includes("Unable to mount root fs")));
  });
}
