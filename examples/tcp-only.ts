/**
 * sockCreate: a process gets TCP sockets alone. Raw sockets, UDP and everything else of the internet families
 * fail with EPERM.
 *
 *     npx tsx examples/tcp-only.ts -- COMMAND...
 */
import { array, cgroup, isMain, load, PROCEED, Protocol, REJECT, u64 } from "tsbpf";
import { runExample } from "./support/run.ts";

const refused = array("refused", { value: u64, maxEntries: 1 });

export const tcpOnly = cgroup.sockCreate("tcp_only", (b, ctx) => {
  b.if(ctx.protocol.eq(Protocol.TCP), () => b.return(PROCEED));
  b.lookup(refused, 0).ifFound((counter) => counter.value.atomicAdd(1));
  return REJECT;
});

if (isMain(import.meta))
  await runExample({
    name: "tcp-only",
    summary: "Refuses every socket but TCP's.",
    load: () => load([tcpOnly]),
    report: (collection) => `refused: ${collection.map(refused).get(0)}`,
  });
