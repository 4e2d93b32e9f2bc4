/** Error numbers that map operations give (`asm-generic/errno-base.h`). */
export const Errno = {
  ENOENT: 2,
  E2BIG: 7,
  EAGAIN: 11,
  EEXIST: 17,
  EINVAL: 22,
  ENOSPC: 28,
} as const;

const names = new Map<number, string>(Object.entries(Errno).map(([name, number]) => [number, name]));

/** A map operation of user space that the kernel would have refused. */
export class SimulatedMapError extends Error {
  override readonly name = "SimulatedMapError";
  /** Positive. */
  readonly errno: number;

  constructor(operation: string, map: string, errno: number) {
    super(`${operation} on map ${map}: ${names.get(errno) ?? `errno ${errno}`}`);
    this.errno = errno;
  }
}
