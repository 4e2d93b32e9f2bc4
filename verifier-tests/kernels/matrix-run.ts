/** Runs the suite on several kernels: obtains and boots them, and collects their results. */
import type { CaseResult, KernelResult } from "../report/result.ts";
import { bootGuest } from "./boot.ts";
import { bundleSuite } from "./bundle.ts";
import { unpackKernel, withModules, type UnpackedKernel } from "./cache.ts";
import type { KernelChoice } from "./catalogue.ts";
import { kvmWorks } from "./kvm.ts";

export interface MatrixOptions {
  /** The number of kernels to run at once. */
  readonly jobs: number;
  /** The limit per kernel, including its boot. */
  readonly timeoutSeconds: number;
  /** Only cases with this text in their name. */
  readonly filter: string | undefined;
  /** Receives events; `kernel` is the release or the image's path. */
  readonly progress: (kernel: string, event: string) => void;
}

/** Runs the suite on each kernel; returns results in the order of `choices`. */
export async function runMatrix(choices: readonly KernelChoice[], options: MatrixOptions): Promise<KernelResult[]> {
  const bundle = await bundleSuite();
  // Sequentially, since the package manager locks its directory and the network is shared.
  const kernels: BootableKernel[] = [];
  for (const choice of choices) kernels.push(await obtain(choice, options));
  const kvm = kernels.length > 0 && (await kvmWorks(kernels[0]!.image));
  for (const { name } of kernels)
    options.progress(name, kvm ? "will run under KVM" : "will be emulated, since KVM does not work here");

  const results = new Array<KernelResult>(kernels.length);
  let next = 0;
  const worker = async () => {
    for (let i = next++; i < kernels.length; i = next++)
      results[i] = await runKernel(kernels[i]!, bundle, kvm, options);
  };
  await Promise.all(Array.from({ length: Math.min(options.jobs, kernels.length) }, worker));
  return results;
}

interface BootableKernel {
  readonly name: string;
  readonly image: string;
  readonly unpacked?: UnpackedKernel;
}

async function obtain(choice: KernelChoice, { progress }: MatrixOptions): Promise<BootableKernel> {
  if (choice.kind === "image") return { name: choice.path, image: choice.path };
  const { release } = choice.kernel;
  const unpacked = await unpackKernel(choice.kernel, (step) => progress(release, step));
  return { name: release, image: unpacked.image, unpacked };
}

async function runKernel(
  kernel: BootableKernel,
  bundle: string,
  kvm: boolean,
  options: MatrixOptions,
): Promise<KernelResult> {
  const results: CaseResult[] = [];
  let release = kernel.name;
  let total = 0;
  const boot = () =>
    bootGuest({
      image: kernel.image,
      command: guestCommand(bundle, options.filter),
      kvm,
      timeoutSeconds: options.timeoutSeconds,
      onMessage(message) {
        if (message.type === "start") {
          release = message.release;
          total = message.cases;
          options.progress(kernel.name, `booted, ${total} cases`);
        }
        if (message.type !== "result") return;
        const result = message.result as CaseResult;
        results.push(result);
        if (result.status === "surprise")
          options.progress(kernel.name, `surprise: ${result.name}: ${result.detail ?? ""}`);
        else if (results.length % 100 === 0) options.progress(kernel.name, `${results.length} of ${total} cases`);
      },
    });
  options.progress(kernel.name, "booting");
  const { failure, tail, seconds } = await (kernel.unpacked ? withModules(kernel.unpacked, boot) : boot());
  options.progress(kernel.name, failure ?? `ended after ${seconds.toFixed(0)} s`);
  return { release, results, seconds, ...(failure !== undefined && { failure, console: tail }) };
}

/** Sets up what a guest lacks compared with a running system, then runs the suite. */
function guestCommand(bundle: string, filter: string | undefined): string {
  const quote = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;
  const script = [bundle, ...(filter === undefined ? [] : [filter])].map(quote).join(" ");
  return [
    "ip link set lo up",
    "mountpoint -q /sys/fs/bpf || mount -t bpf bpf /sys/fs/bpf",
    // The engine's helper threads recompile running code; in an emulated guest that costs more than it saves.
    `${quote(process.execPath)} --single-threaded ${script}`,
  ].join("; ");
}
