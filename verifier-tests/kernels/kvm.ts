import { spawn } from "node:child_process";
import { access, constants } from "node:fs/promises";

/** Longer than any machine with working virtualization takes for this, and short beside the boots that follow. */
const limitMs = 20_000;

/**
 * Whether hardware virtualization really works here, decided by trying: the
 * device may be there, may even be opened, and guests fail all the same.
 *
 * A kernel is started with no root file system. That it gets as far as
 * complaining about this shows that it runs.
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
