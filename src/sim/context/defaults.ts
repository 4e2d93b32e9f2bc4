import type { Program } from "../../asm/index.ts";
import { hookOf } from "../../hooks/index.ts";
import type { SimulatedSocket } from "./socket.ts";
import type { ContextValues } from "./context.ts";
import type { ContextLayout } from "./layout.ts";

/**
 * Default values for a context: the hook's and the socket's; for a packet, its length.
 */
export function defaultContext(
  program: Program,
  { fields }: ContextLayout,
  { socket, packet }: { socket: SimulatedSocket | undefined; packet: Uint8Array | undefined },
): ContextValues {
  const simulated = hookOf(program)?.simulated;
  const values: ContextValues = simulated ? { ...simulated, ...socket?.fields } : { len: packet?.length ?? 0 };
  return Object.fromEntries(Object.entries(values).filter(([name]) => name in fields));
}
