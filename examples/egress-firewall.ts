/**
 * egress: packets leave for the allowed IPv4 networks alone. Everything else is dropped, and a datagram's
 * sender is told EPERM.
 *
 *     npx tsx examples/egress-firewall.ts --allow 127.0.0.1/32,10.0.0.0/8 -- COMMAND...
 */
import { isIPv4 } from "node:net";
import {
  array,
  arrayOf,
  be16,
  cgroup,
  ipv4,
  isMain,
  load,
  lpmTrie,
  PROCEED,
  REJECT,
  struct,
  u32,
  u64,
  u8,
} from "tsbpf";
import { runExample, UsageError } from "./support/run.ts";

/** A trie's key is a prefix length in bits, and the bits. */
const Network = struct("network", { prefixLength: u32, address: ipv4 });
const allowed = lpmTrie("allowed", { key: Network, value: u8, maxEntries: 256 });
const dropped = array("dropped", { value: u64, maxEntries: 1 });

/** struct iphdr (linux/ip.h), as far as the addresses. */
const Ipv4Header = struct("iphdr", { before: arrayOf(u8, 12), source: ipv4, destination: ipv4 });
const ETH_P_IP = be16(0x0800);

export const firewall = cgroup.egress("egress_firewall", (b, ctx) => {
  b.if(ctx.protocol.eq(ETH_P_IP), () => {
    b.packet(ctx, Ipv4Header, 0).ifFound(({ destination }) => {
      b.lookup(allowed, { prefixLength: 32, address: destination }).ifFound(() => b.return(PROCEED));
    });
  });
  b.lookup(dropped, 0).ifFound((counter) => counter.value.atomicAdd(1));
  return REJECT;
});

/** `"10.0.0.0/8"` as a key. */
function network(text: string) {
  const [address = "", bits = "32"] = text.split("/");
  const prefixLength = Number(bits);
  if (!isIPv4(address) || !Number.isInteger(prefixLength) || prefixLength < 0 || prefixLength > 32)
    throw new UsageError(`--allow takes networks such as 10.0.0.0/8, separated by commas, not ${JSON.stringify(text)}`);
  return { prefixLength, address };
}

if (isMain(import.meta))
  await runExample({
    name: "egress-firewall",
    summary: "Lets packets out to some IPv4 networks alone.",
    options: { allow: { type: "string", help: "the networks, such as 127.0.0.1/32,10.0.0.0/8" } },
    load({ allow = "" }) {
      const networks = String(allow).split(",").map(network);
      const collection = load([firewall]);
      for (const key of networks) collection.map(allowed).set(key, 1);
      return collection;
    },
    report: (collection) => `dropped: ${collection.map(dropped).get(0)}`,
  });
