/**
 * connect4, connect6: counts connect() calls by protocol, a hello-world.
 *
 *     npx tsx examples/count-connects.ts -- curl -s http://127.20.0.11:8080/
 */
import { array, cgroup, isMain, load, PROCEED, Protocol, u64, type BuilderOf, type ContextOf } from "tsbpf";
import { runExample } from "./support/run.ts";

/** Calls by IP protocol number. */
const connects = array("connects", { value: u64, maxEntries: 256 });

type Connect = typeof cgroup.connect4 | typeof cgroup.connect6;

// Two programs share a step by calling an ordinary function.
function countProtocol(b: BuilderOf<Connect>, ctx: ContextOf<Connect>): typeof PROCEED {
  b.lookup(connects, ctx.protocol.and(255)).ifFound((counter) => counter.value.atomicAdd(1));
  return PROCEED;
}

export const countConnect4 = cgroup.connect4("count_connect4", countProtocol);
export const countConnect6 = cgroup.connect6("count_connect6", countProtocol);

if (isMain(import.meta))
  await runExample({
    name: "count-connects",
    summary: "Counts connect() calls by protocol.",
    load: () => load([countConnect4, countConnect6]),
    report(collection) {
      const counted = [...collection.map(connects).entries()].filter(([, count]) => count > 0n);
      return counted.map(([protocol, count]) => `${nameOf(protocol)} ${count}`).join(", ") || "no connects yet";
    },
  });

function nameOf(number: number): string {
  return Object.entries(Protocol).find(([, value]) => value === number)?.[0] ?? `protocol ${number}`;
}
