/** Linux's error numbers as `bpf(2)`, `mount(2)` and cgroups return them (uapi/asm-generic/errno*.h). */
export const Errno = {
  EPERM: 1,
  ENOENT: 2,
  EINTR: 4,
  EIO: 5,
  E2BIG: 7,
  EBADF: 9,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EFAULT: 14,
  EBUSY: 16,
  EEXIST: 17,
  EXDEV: 18,
  ENODEV: 19,
  ENOTDIR: 20,
  EINVAL: 22,
  EMFILE: 24,
  ENOSPC: 28,
  ERANGE: 34,
  ENAMETOOLONG: 36,
  ENOSYS: 38,
  ENOLINK: 67,
  EOPNOTSUPP: 95,
  ESTALE: 116,
  EDQUOT: 122,
  /** The operation is not supported by this type. Internal to the kernel, yet returned to user space. */
  ENOTSUPP: 524,
} as const;

const names = new Map<number, string>(Object.entries(Errno).map(([name, number]) => [number, name]));

/**
 * `EINVAL` for 22; `error 999` for a number outside the table.
 *
 * @example
 * ```ts
 * import { errnoName } from "tsbpf/kernel";
 *
 * console.log(errnoName(22)); // EINVAL
 * ```
 */
export function errnoName(errno: number): string {
  return names.get(errno) ?? `error ${errno}`;
}
