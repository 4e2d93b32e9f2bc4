/** Error numbers of map operations (`asm-generic/errno-base.h`). */
export const Errno = {
  ENOENT: 2,
  E2BIG: 7,
  EAGAIN: 11,
  EEXIST: 17,
  EINVAL: 22,
  ENOSPC: 28,
} as const;

const names = new Map<number, string>(Object.entries(Errno).map(([name, number]) => [number, name]));

/** A map operation of user space failed, as it would in the kernel. */
export class SimulatedMapError extends Error {
  override readonly name = "SimulatedMapError";
  /** The error number, positive. */
  readonly errno: number;

  constructor(operation: string, map: string, errno: number) {
    super(`cannot ${operation} an element of map ${map}: ${names.get(errno) ?? `errno ${errno}`}`);
    this.errno = errno;
  }
}
