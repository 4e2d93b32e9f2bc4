/**
 * xdp: drops UDP datagrams to a list of ports as the network driver receives them. The kernel runs it on packets
 * made for the purpose (BPF_PROG_TEST_RUN), so no interface is touched.
 *
 *     npx tsx examples/xdp-firewall.ts
 */
import { arrayOf, be16, hash, isMain, load, Protocol, struct, u64, u8, xdp, XdpAction } from "tsbpf";
import { ETH_P_ARP, ETH_P_IP, frame, udpFrame } from "./support/packets.ts";
import { runOnce } from "./support/run.ts";

const Ethernet = struct("ethhdr", { destination: arrayOf(u8, 6), source: arrayOf(u8, 6), type: be16 });
/** struct iphdr (linux/ip.h), as far as the protocol. */
const Ipv4Header = struct("iphdr", { versionAndLength: u8, before: arrayOf(u8, 8), protocol: u8 });
const UdpHeader = struct("udphdr", { source: be16, destination: be16 });

/** SSDP and memcached: servers that amplify what they are sent. */
const BLOCKED = [1900, 11_211];

/** Blocked ports, with the datagrams dropped. */
const blocked = hash("blocked", { key: be16, value: u64, maxEntries: 64 });

const ETHERNET_SIZE = 14;
const IPV4_SIZE = 20;

export const firewall = xdp("xdp_firewall", (b, ctx) => {
  const ethernet = b.packet(ctx, Ethernet, 0).orReturn(XdpAction.PASS);
  b.if(ethernet.type.ne(be16(ETH_P_IP)), () => b.return(XdpAction.PASS));
  const ip = b.packet(ctx, Ipv4Header, ETHERNET_SIZE).orReturn(XdpAction.PASS);
  // Version 4 and a header of five words: without options, the next header follows 20 bytes on.
  b.if(ip.versionAndLength.ne(0x45).or(ip.protocol.ne(Protocol.UDP)), () => b.return(XdpAction.PASS));
  const udp = b.packet(ctx, UdpHeader, ETHERNET_SIZE + IPV4_SIZE).orReturn(XdpAction.PASS);
  const counter = b.lookup(blocked, udp.destination).orReturn(XdpAction.PASS);
  counter.value.atomicAdd(1);
  return XdpAction.DROP;
});

const actionName = (action: number) => Object.entries(XdpAction).find(([, value]) => value === action)?.[0];

if (isMain(import.meta))
  await runOnce(() => {
    using loaded = load([firewall]);
    loaded.map(blocked).setMany(BLOCKED.map((port) => [port, 0n]));
    for (const [what, packet] of [
      ["UDP to port 53", udpFrame(53)],
      ...BLOCKED.map((port) => [`UDP to port ${port}`, udpFrame(port)] as const),
      ["ARP", frame(ETH_P_ARP, 28)],
    ] as const) {
      const { returnValue } = loaded.program("xdp_firewall").testRun({ data: packet });
      process.stdout.write(`${what}: ${actionName(returnValue)}\n`);
    }
    const drops = [...loaded.map(blocked).entries()].sort(([a], [b]) => a - b);
    process.stdout.write(`dropped: ${drops.map(([port, count]) => `${count} to ${port}`).join(", ")}\n`);
  });
