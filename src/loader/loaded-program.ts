import type { Fd, Kernel, TestRun, TestRunResult } from "../kernel/index.ts";
import type { Program } from "../asm/index.ts";

/** A program in the kernel. */
export class LoadedProgram<out T extends string = string> {
  readonly program: Program<T>;
  readonly fd: Fd;
  /** The verifier's log; empty at log level 0. */
  readonly log: string;
  readonly #kernel: Kernel;

  constructor(program: Program<T>, { fd, log }: { readonly fd: Fd; readonly log: string }, kernel: Kernel) {
    this.program = program;
    this.fd = fd;
    this.log = log;
    this.#kernel = kernel;
  }

  /**
   * Runs the program in the kernel on given input, without attaching it (`BPF_PROG_TEST_RUN`, bpf(2)). Works for
   * programs on packets: xdp, socket filters, cgroup ingress and egress. Linux has no test run for programs on
   * calls and sockets, such as `cgroup.connect4`: run those in the simulator (`tsbpf/sim`).
   *
   * @param input `data` is the packet, at least an Ethernet header of 14 bytes; `context` is the context struct in
   * its user-space layout (`struct __sk_buff`, `struct xdp_md`; linux/bpf.h); `repeat` is the number of runs
   * @returns the return value, the packet and the context after the last run, and the mean duration in nanoseconds
   * @throws {BpfError} ENOTSUPP if Linux cannot test-run this type of program; EINVAL if the input is too short
   * @example
   * ```ts
   * import { load, xdp, XdpAction } from "tsbpf";
   *
   * const drop = xdp("drop", () => XdpAction.DROP);
   * using loaded = load([drop]);
   * const { returnValue, duration } = loaded.program("drop").testRun({ data: new Uint8Array(64), repeat: 1000 });
   * console.log(returnValue === XdpAction.DROP, `${duration} ns`);
   * ```
   */
  testRun(input: TestRun = {}): TestRunResult {
    return this.#kernel.testRunProgram(this.fd, input, `program ${this.program.name}`);
  }
}
