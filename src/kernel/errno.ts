import { Errno as errnos } from "../types/index.ts";

/** Linux's error numbers as system calls return them: the documented ones, and one from inside the kernel. */
export const Errno = {
  ...errnos,
  /** The operation is not supported by this type. Internal to the kernel, yet returned to user space. */
  ENOTSUPP: 524,
} as const;

/** Where two names have one number, the first counts. */
const names = new Map<number, string>(
  Object.entries(Errno)
    .map(([name, number]) => [number, name] as const)
    .reverse(),
);

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
