/**
 * getpeername4, getpeername6: a server sees its clients' addresses without their last byte, so its logs name no
 * person. IPv6 addresses are hidden as a whole, but for IPv4 addresses on IPv6 sockets.
 *
 *     npx tsx examples/anonymous-peers.ts -- python3 -m http.server 8000
 */
import { array, cgroup, ipv4, isMain, load, PROCEED, u64, type BuilderWith } from "tsbpf";
import { runExample } from "./support/run.ts";

const hidden = array("hidden", { value: u64, maxEntries: 1 });
const NETWORK = ipv4("255.255.255.0");

const count = (b: BuilderWith) => b.lookup(hidden, 0).ifFound((counter) => counter.value.atomicAdd(1));

export const peer4 = cgroup.getpeername4("hide_peer4", (b, ctx) => {
  ctx.userIp4.set(ctx.userIp4.and(NETWORK));
  count(b);
  return PROCEED;
});

export const peer6 = cgroup.getpeername6("hide_peer6", (b, ctx) => {
  const address = ctx.userIp6;
  b.if(
    address.isV4Mapped(),
    () => address.v4().set(address.v4().and(NETWORK)),
    () => address.set("::"),
  );
  count(b);
  return PROCEED;
});

if (isMain(import.meta))
  await runExample({
    name: "anonymous-peers",
    summary: "Shows servers their clients' addresses without the last byte.",
    load: () => load([peer4, peer6]),
    report: (collection) => `addresses hidden: ${collection.map(hidden).get(0)}`,
  });
