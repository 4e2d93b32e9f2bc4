import { add, atomicAdd, call, encode, exit, mov, r0, r1, r10, r2, r3, store } from "../../asm/index.ts";
import { BtfError, fieldOf, kernelBtf } from "../../btf/index.ts";
import { linux, VerifierError, type Kernel } from "../../kernel/index.ts";
import { hooks, type ProgramKind } from "../../hooks/index.ts";
import type { DataPathOptions } from "../../../programs/index.ts";

const { connect4, postBind6 } = hooks.cgroup;

/**
 * Probes the running kernel for the optional features of the data path.
 * @throws {BpfError} if it cannot load programs at all
 */
export function probeDataPath(kernel: Kernel = linux): Pick<DataPathOptions, "setRetval" | "atomicFetch"> {
  const add1 = [store("u64", r10, -8, 0), mov(r1, 1), atomicAdd("u64", r10, -8, r1, { fetch: true })];
  return {
    setRetval: accepts([mov(r1, 0), call("bpf_set_retval"), mov(r0, 1), exit()], kernel),
    atomicFetch: accepts([...add1, mov(r0, 1), exit()], kernel),
  };
}

/**
 * `DataPathOptions.ipv6OnlyBit` of the running kernel: undefined if it shows no
 * types, or if programs on bind(2) may not read its memory.
 * @throws {BpfError} if it cannot load programs at all
 */
export function probeIpv6OnlyBit(kernel: Kernel = linux): number | undefined {
  let bit: number;
  try {
    const btf = kernelBtf();
    bit = fieldOf(btf, btf.find("struct", "sock_common")!, "skc_ipv6only").offset;
  } catch (error) {
    if (error instanceof BtfError) return undefined;
    throw error;
  }
  const readsContext = [
    mov(r3, r1),
    mov(r1, r10),
    add(r1, -8),
    mov(r2, 1),
    call("bpf_probe_read_kernel"),
    mov(r0, 1),
    exit(),
  ];
  return accepts(readsContext, kernel, postBind6) ? bit : undefined;
}

/** Whether the verifier accepts these instructions as a program on this hook. */
function accepts(instructions: Parameters<typeof encode>[0], kernel: Kernel, hook: ProgramKind = connect4): boolean {
  try {
    kernel
      .loadProgram({
        name: "probe",
        type: hook.type,
        expectedAttachType: hook.expectedAttachType!,
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
