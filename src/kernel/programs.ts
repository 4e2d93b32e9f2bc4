/** Programs: loading, test runs, and binding to maps. */
import type { Instruction } from "../asm/index.ts";
import type { AttachType, ProgramType } from "../types/index.ts";
import { bpf, cString, objectName, tryBpf } from "./bpf.ts";
import { programBindMapAttr, programLoadAttr, testRunAttr } from "./bpf-attr.ts";
import { BpfError } from "./bpf-error.ts";
import { Errno } from "./errno.ts";
import { Fd } from "./fd.ts";
import { addressOf } from "./ffi.ts";
import { raiseMemoryLock } from "./memory-lock.ts";
import { withoutProfiler } from "./signal-mask.ts";
import { VerifierError } from "./verifier-error.ts";

export interface ProgramLoad {
  /** The kernel keeps the first 15 bytes. */
  readonly name: string;
  readonly type: ProgramType;
  readonly expectedAttachType?: AttachType;
  /** Encoded instructions, 8 bytes per slot, with all references resolved. */
  readonly code: Uint8Array;
  /** The instructions behind `code`, so that verifier errors can name their source. */
  readonly instructions?: readonly Instruction[];
  readonly license: string;
  /** `BPF_F_*` flags: sleepable, strict alignment, … */
  readonly flags?: number;
  readonly btf?: ProgramBtfRecords;
  /** 0: log only if the program is refused (default); 1: always; 2: with every state; 4: statistics only. */
  readonly logLevel?: 0 | 1 | 2 | 4;
}

export interface ProgramBtfRecords {
  readonly fd: Fd;
  readonly funcInfo: Uint8Array;
  /** Bytes per record. */
  readonly funcInfoRecordSize: number;
  readonly lineInfo: Uint8Array;
  /** Bytes per record. */
  readonly lineInfoRecordSize: number;
}

export interface LoadedProgram {
  readonly fd: Fd;
  /** The verifier's log; empty at log level 0. */
  readonly log: string;
}

/** A signal interrupts the verifier, which then returns EAGAIN: attempts before giving up, as many as libbpf's. */
const RETRIES = 5;
const FIRST_LOG_SIZE = 64 * 1024;
/** A quarter of the kernel's limit: a longer log helps nobody. */
const MAX_LOG_SIZE = 256 * 1024 * 1024;

/**
 * Verifies and loads a program (`BPF_PROG_LOAD`).
 *
 * @throws {VerifierError} if the verifier refuses it; has the whole log
 * @throws {BpfError} if the kernel refuses it before verification
 */
export function loadProgram(program: ProgramLoad): LoadedProgram {
  const license = cString(program.license);
  const { btf } = program;
  const attr = programLoadAttr.create({
    prog_type: program.type,
    insn_cnt: program.code.byteLength / 8,
    insns: addressOf(program.code),
    license: addressOf(license),
    prog_flags: program.flags ?? 0,
    prog_name: objectName(program.name),
    expected_attach_type: program.expectedAttachType ?? 0,
    ...(btf && {
      prog_btf_fd: btf.fd.number,
      func_info: addressOf(btf.funcInfo),
      func_info_rec_size: btf.funcInfoRecordSize,
      func_info_cnt: btf.funcInfo.byteLength / btf.funcInfoRecordSize,
      line_info: addressOf(btf.lineInfo),
      line_info_rec_size: btf.lineInfoRecordSize,
      line_info_cnt: btf.lineInfo.byteLength / btf.lineInfoRecordSize,
    }),
  });
  const referenced = [program.code, license, btf?.funcInfo, btf?.lineInfo];

  const attempt = (log?: Buffer) => {
    for (let tries = 1; ; tries++) {
      const { result, errno } = withoutProfiler(() => tryBpf("BPF_PROG_LOAD", attr, [...referenced, log]));
      if (result >= 0) return { fd: new Fd(result), errno: 0 };
      if (errno === Errno.EPERM && raiseMemoryLock()) continue;
      if (errno !== Errno.EAGAIN || tries === RETRIES) return { fd: undefined, errno };
    }
  };

  if (!program.logLevel) {
    const { fd } = attempt();
    if (fd) return { fd, log: "" };
  }
  attr.log_level = program.logLevel || 1;
  for (let size = FIRST_LOG_SIZE; ; ) {
    const buffer = Buffer.alloc(size);
    attr.log_buf = addressOf(buffer);
    attr.log_size = size;
    attr.log_true_size = 0;
    const { fd, errno } = attempt(buffer);
    // Since Linux 6.4 a log that does not fit keeps its end, and the load may succeed; older kernels keep the
    // start.
    const cut = errno === Errno.ENOSPC || attr.log_true_size > size;
    if (cut && size < MAX_LOG_SIZE) {
      fd?.close();
      size = Math.min(Math.max(4 * size, attr.log_true_size), MAX_LOG_SIZE);
      continue;
    }
    const log = buffer.toString("utf8", 0, Math.max(buffer.indexOf(0), 0));
    if (fd) return { fd, log };
    if (log.trim() === "" || errno === Errno.EAGAIN)
      throw new BpfError("BPF_PROG_LOAD", `program ${program.name}`, errno);
    throw new VerifierError(program.name, errno, log, program.instructions);
  }
}

/** The input of a test run. */
export interface TestRun {
  /** The packet, for a type that takes one. */
  readonly data?: Uint8Array;
  /** The context struct, in its user-space layout. */
  readonly context?: Uint8Array;
  /** Number of runs; 1 by default. */
  readonly repeat?: number;
  /** Bytes of room for the packet after the run; by default the length of `data` plus 256 for headroom. */
  readonly dataRoom?: number;
}

/** The result of a test run. */
export interface TestRunResult {
  /** The program's return value, unsigned. */
  readonly returnValue: number;
  /** Mean nanoseconds per run. */
  readonly duration: number;
  /** The packet after the run. */
  readonly data: Uint8Array;
  /** The context after the run. */
  readonly context: Uint8Array;
}

/**
 * Runs a program in the kernel on the given input (`BPF_PROG_TEST_RUN`). The kernel cannot test-run cgroup
 * sock_addr, sock_ops and sockopt programs.
 * @throws {BpfError} ENOTSUPP for such a program; EINVAL for input that is too short
 */
export function testRunProgram(
  program: Fd,
  run: TestRun = {},
  subject = `program (descriptor ${program.number})`,
): TestRunResult {
  const dataOut = Buffer.alloc(run.data ? (run.dataRoom ?? run.data.byteLength + 256) : 0);
  const contextOut = Buffer.alloc(run.context?.byteLength ?? 0);
  const attr = testRunAttr.create({
    prog_fd: program.number,
    repeat: run.repeat ?? 1,
    ...(run.data && {
      data_in: addressOf(run.data),
      data_size_in: run.data.byteLength,
      data_out: addressOf(dataOut),
      data_size_out: dataOut.byteLength,
    }),
    ...(run.context && {
      ctx_in: addressOf(run.context),
      ctx_size_in: run.context.byteLength,
      ctx_out: addressOf(contextOut),
      ctx_size_out: contextOut.byteLength,
    }),
  });
  bpf("BPF_PROG_TEST_RUN", attr, subject, [run.data, run.context, dataOut, contextOut]);
  return {
    returnValue: attr.retval,
    duration: attr.duration,
    data: dataOut.subarray(0, attr.data_size_out),
    context: contextOut.subarray(0, attr.ctx_size_out),
  };
}

/**
 * Makes a program hold a map that none of its instructions references (`BPF_PROG_BIND_MAP`, Linux 5.10).
 * @throws {BpfError}
 */
export function bindMap(program: Fd, map: Fd): void {
  bpf(
    "BPF_PROG_BIND_MAP",
    programBindMapAttr.create({ prog_fd: program.number, map_fd: map.number }),
    `program (descriptor ${program.number})`,
  );
}
