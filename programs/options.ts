/** What the programs are built for. What is switched off here is not in the bytecode. */
export interface DataPathOptions {
  /** The kernel has `bpf_set_retval` (Linux 5.18): a refused call gets the errno that says why, not EPERM. */
  readonly setRetval: boolean;
}

export const defaultOptions: DataPathOptions = { setRetval: true };
