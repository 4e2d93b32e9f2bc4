/** Which parts the options add to the steps: the one place that knows all of them. */
import { affinity } from "./affinity.ts";
import type { Features } from "./call.ts";
import { connections } from "./connections.ts";
import { counters } from "./counters.ts";
import { eventsOfCalls } from "./events.ts";
import { exemptions } from "./exemptions.ts";
import type { DataPathOptions } from "./options.ts";

/** The parts that the options ask for. What is not here is not in the bytecode. */
export const featuresFor = (options: DataPathOptions): Features => ({
  options,
  exemptions: exemptions(options),
  ...(options.metrics && { counters }),
  ...(options.events && { events: eventsOfCalls }),
  ...(options.affinity && { affinity }),
  ...(options.trackConnections && { connections }),
});
