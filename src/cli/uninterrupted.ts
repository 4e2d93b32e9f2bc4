const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Runs work that should not stop halfway: an interrupt (Ctrl-C) during the work takes effect after it. */
export async function uninterrupted<T>(work: () => Promise<T>): Promise<T> {
  let received: NodeJS.Signals | undefined;
  const remember = (signal: NodeJS.Signals) => void (received ??= signal);
  for (const signal of SIGNALS) process.on(signal, remember);
  try {
    const result = await work();
    // Signals are delivered once per turn of the event loop, and this turn's delivery may be over.
    for (let turn = 0; turn < 2; turn++) await new Promise((resolve) => setImmediate(resolve));
    return result;
  } finally {
    for (const signal of SIGNALS) process.off(signal, remember);
    if (received !== undefined) process.kill(process.pid, received);
  }
}
