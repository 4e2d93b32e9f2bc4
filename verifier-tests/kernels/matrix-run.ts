/** The same suite on several kernels: obtained, booted, watched, their results collected. */
import type { CaseResult, KernelResult } from "../report/result.ts";
import { bootGuest } from "./boot.ts";
import { bundleSuite } from "./bundle.ts";
import { unpackKernel, withModules, type UnpackedKernel } from "./cache.ts";
import type { KernelChoice } from "./catalogue.ts";
import { kvmWorks } from "./kvm.ts";

export interface MatrixOptions {
  /** Kernels that run at the same time. */
  readonly jobs: number;
  /** For each kernel, its boot included. */
  readonly timeoutSeconds: number;
  /** Only the cases with this in their name. */
  readonly filter: string | undefined;
  /** Told what goes on; `kernel` is its release or its image's path. */
  readonly progress: (kernel: string, event: string) => void;
}

/** Runs the suite on each kernel, and gives the results in the order of the kernels. */
export async function runMatrix(choices: readonly KernelChoice[], options: MatrixOptions): Promise<KernelResult[]> {
  const bundle = await bundleSuite();
  // One after another: the package manager locks its directory, and the network is one.
  const kernels: BootableKernel[] = [];
  for (const choice of choices) kernels.push(await obtain(choice, options));
  const kvm = kernels.length > 0 && (await kvmWorks(kernels[0]!.image));
  for (const { name } of kernels)
    options.progress(name, kvm ? "will run under KVM" : "will be emulated: KVM does not work here");

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

/** What a guest lacks that a running system has, and then the suite. */
function guestCommand(bundle: string, filter: string | undefined): string {
  const quote = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;
  return [
    "ip link set lo up",
    "mountpoint -q /sys/fs/bpf || mount -t bpf bpf /sys/fs/bpf",
    // The engine's helper threads recompile code that runs; in an emulated guest they take several times what they save.
    `${quote(process.execPath)} --single-threaded ${[bundle, ...(filter === undefined ? [] : [filter])].map(quote).join(" ")}`,
  ].join("; ");
}
