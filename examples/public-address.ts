/**
 * getsockname4, getsockname6: a process behind address translation learns the address that others know it by.
 *
 *     npx tsx examples/public-address.ts --ipv4 203.0.113.7 --ipv6 2001:db8::7 -- COMMAND...
 */
import { isIPv4, isIPv6 } from "node:net";
import { array, cgroup, ipv4, isMain, load, PROCEED, u64, type BuilderWith } from "tsbpf";
import { runExample, UsageError } from "./support/run.ts";

const shown = array("shown", { value: u64, maxEntries: 1 });

const count = (b: BuilderWith) => b.lookup(shown, 0).ifFound((counter) => counter.value.atomicAdd(1));

/** A socket that is bound to no address keeps none. */
const publicAddress = (address4: string, address6: string) => [
  cgroup.getsockname4("public_name4", (b, ctx) => {
    b.if(ctx.userIp4.ne(ipv4("0.0.0.0")), () => {
      ctx.userIp4.set(ipv4(address4));
      count(b);
    });
    return PROCEED;
  }),
  cgroup.getsockname6("public_name6", (b, ctx) => {
    b.if(ctx.userIp6.ne("::"), () => {
      ctx.userIp6.set(address6);
      count(b);
    });
    return PROCEED;
  }),
];

if (isMain(import.meta))
  await runExample({
    name: "public-address",
    summary: "Shows processes a public address as their own.",
    options: {
      ipv4: { type: "string", help: "the public IPv4 address" },
      ipv6: { type: "string", help: "the public IPv6 address" },
    },
    load({ ipv4: address4 = "203.0.113.7", ipv6: address6 = "2001:db8::7" }) {
      if (!isIPv4(String(address4))) throw new UsageError(`--ipv4 takes an IPv4 address, not ${String(address4)}`);
      if (!isIPv6(String(address6))) throw new UsageError(`--ipv6 takes an IPv6 address, not ${String(address6)}`);
      return load(publicAddress(String(address4), String(address6)));
    },
    report: (collection) => `shown: ${collection.map(shown).get(0)}`,
  });
