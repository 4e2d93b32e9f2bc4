/**
 * Repeats `check` until it no longer throws; gives what it gave. The kernel
 * frees much only after a grace period, so what a test waits for may take a moment.
 * @param timeout milliseconds, after which the last error is thrown
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
