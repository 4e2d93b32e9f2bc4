/**
 * ingress, egress: counts the packets and bytes that processes receive and send, from the IP header on.
 *
 *     npx tsx examples/traffic.ts -- curl -s -o /dev/null http://127.20.0.11:8080/
 */
import { cgroup, isMain, load, percpuArray, PROCEED, struct, u64, type BuilderOf, type ContextOf } from "tsbpf";
import { runExample } from "./support/run.ts";

/** Each CPU counts for itself, so none waits for another. */
const Traffic = struct("traffic", { packets: u64, bytes: u64 });
const traffic = percpuArray("traffic", { value: Traffic, maxEntries: 2 });
const RECEIVED = 0;
const SENT = 1;

type Packet = typeof cgroup.ingress | typeof cgroup.egress;

const countPacket =
  (direction: number) =>
  (b: BuilderOf<Packet>, { len }: ContextOf<Packet>): typeof PROCEED => {
    b.lookup(traffic, direction).ifFound((counters) => {
      counters.packets.atomicAdd(1);
      counters.bytes.atomicAdd(len.to(u64));
    });
    return PROCEED;
  };

export const received = cgroup.ingress("count_received", countPacket(RECEIVED));
export const sent = cgroup.egress("count_sent", countPacket(SENT));

if (isMain(import.meta))
  await runExample({
    name: "traffic",
    summary: "Counts packets and bytes, received and sent.",
    load: () => load([received, sent]),
    report(collection) {
      const text = (direction: number) => {
        const perCpu = collection.map(traffic).get(direction)!;
        const sum = (of: "packets" | "bytes") => perCpu.reduce((total, counters) => total + counters[of], 0n);
        return `${sum("packets")} packets, ${sum("bytes")} bytes`;
      };
      return `received ${text(RECEIVED)}; sent ${text(SENT)}`;
    },
  });
