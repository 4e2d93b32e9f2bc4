import { call, encode, exit, mov, r0, r1 } from "../../asm/index.ts";
import { linux, VerifierError, type Kernel } from "../../kernel/index.ts";
import { AttachType, ProgramType } from "../../types/index.ts";
import type { DataPathOptions } from "../../../programs/index.ts";

/**
 * Probes the running kernel for the optional features of the data path.
 * @throws {BpfError} if it cannot load programs at all
 */
export function probeDataPath(kernel: Kernel = linux): Pick<DataPathOptions, "setRetval"> {
  return { setRetval: accepts([mov(r1, 0), call("bpf_set_retval"), mov(r0, 1), exit()], kernel) };
}

/** Whether the verifier accepts these instructions as a connect4 program. */
function accepts(instructions: Parameters<typeof encode>[0], kernel: Kernel): boolean {
  try {
    kernel
      .loadProgram({
        name: "probe",
        type: ProgramType.CGROUP_SOCK_ADDR,
        expectedAttachType: AttachType.CGROUP_INET4_CONNECT,
        code: encode(instructions),
        license: "Dual MIT/GPL",
      })
      .fd.close();
    return true;
  } catch (error) {
    if (error instanceof VerifierError) return false;
    throw error;
  }
}
