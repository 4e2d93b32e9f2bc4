/**
 * Repeats `check` until it no longer throws, and returns its result. Tests wait with it, since the kernel frees
 * much only after a grace period.
 * @param timeout milliseconds until the last error is thrown
 */
export async function eventually<T>(check: () => T | Promise<T>, timeout = 5000): Promise<T> {
  const deadline = Date.now() + timeout;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}
