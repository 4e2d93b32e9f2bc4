/**
 * bind4, bind6: a server that binds to every address of the host gets the loopback address alone.
 *
 *     npx tsx examples/local-servers.ts -- python3 -m http.server 8000
 */
import { array, cgroup, ipv4, isMain, load, PROCEED, u64, type BuilderOf } from "tsbpf";
import { runExample } from "./support/run.ts";

const kept = array("kept", { value: u64, maxEntries: 1 });

const count = (b: BuilderOf<typeof cgroup.bind4 | typeof cgroup.bind6>) =>
  b.lookup(kept, 0).ifFound((counter) => counter.value.atomicAdd(1));

export const bind4 = cgroup.bind4("local_bind4", (b, ctx) => {
  b.if(ctx.userIp4.eq(ipv4("0.0.0.0")), () => {
    ctx.userIp4.set(ipv4("127.0.0.1"));
    count(b);
  });
  return PROCEED;
});

export const bind6 = cgroup.bind6("local_bind6", (b, ctx) => {
  b.if(ctx.userIp6.eq("::"), () => {
    ctx.userIp6.set("::1");
    count(b);
  });
  return PROCEED;
});

if (isMain(import.meta))
  await runExample({
    name: "local-servers",
    summary: "Keeps servers that bind to every address on the loopback address.",
    load: () => load([bind4, bind6]),
    report: (collection) => `kept on loopback: ${collection.map(kept).get(0)}`,
  });
