/**
 * sockRelease, with sockCreate: how long sockets live. Each socket keeps the time of its creation in storage of its
 * own, which the kernel frees with the socket.
 *
 *     npx tsx examples/socket-lifetimes.ts -- curl -s -o /dev/null http://127.20.0.11:8080/
 */
import { array, cgroup, isMain, load, PROCEED, skStorage, struct, u64 } from "tsbpf";
import { runExample } from "./support/run.ts";

/** Nanoseconds since boot. */
const createdAt = skStorage("created_at", { value: u64 });

const Lifetimes = struct("lifetimes", { closed: u64, nanoseconds: u64 });
const lifetimes = array("lifetimes", { value: Lifetimes, maxEntries: 1 });

export const created = cgroup.sockCreate("created", (b, ctx) => {
  b.skStorageGet(createdAt, ctx, { create: true }).ifFound((time) => time.value.set(b.ktimeGetNs()));
  return PROCEED;
});

export const released = cgroup.sockRelease("released", (b, ctx) => {
  const since = b.skStorageGet(createdAt, ctx).orReturn(PROCEED);
  const total = b.lookup(lifetimes, 0).orReturn(PROCEED);
  total.closed.atomicAdd(1);
  total.nanoseconds.atomicAdd(b.ktimeGetNs().sub(since.value));
  return PROCEED;
});

if (isMain(import.meta))
  await runExample({
    name: "socket-lifetimes",
    summary: "Tells how long sockets live.",
    load: () => load([created, released]),
    report(collection) {
      const { closed, nanoseconds } = collection.map(lifetimes).get(0)!;
      if (closed === 0n) return "no socket closed yet";
      return `closed ${closed}, mean lifetime ${(Number(nanoseconds / closed) / 1e6).toFixed(1)} ms`;
    },
  });
