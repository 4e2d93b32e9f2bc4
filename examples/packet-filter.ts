/**
 * socketFilter: decides how many bytes of a packet a raw socket gets, here the first 96 of IPv4 packets and
 * nothing of others, as a capture would. The kernel runs it on packets made for the purpose (BPF_PROG_TEST_RUN).
 *
 *     npx tsx examples/packet-filter.ts
 */
import { be16, isMain, load, socketFilter } from "tsbpf";
import { ETH_P_ARP, ETH_P_IP, frame } from "./support/packets.ts";
import { runOnce } from "./support/run.ts";

const SNAP_LENGTH = 96;

export const capture = socketFilter("capture", (b, ctx) => {
  b.if(ctx.protocol.ne(be16(ETH_P_IP)), () => b.return(0));
  b.if(ctx.len.gt(SNAP_LENGTH), () => b.return(SNAP_LENGTH));
  return ctx.len;
});

if (isMain(import.meta))
  await runOnce(() => {
    using loaded = load([capture]);
    for (const [what, packet] of [
      ["IPv4, 1000 bytes", frame(ETH_P_IP, 1000)],
      ["IPv4, 40 bytes", frame(ETH_P_IP, 40)],
      ["ARP, 28 bytes", frame(ETH_P_ARP, 28)],
    ] as const) {
      const { returnValue } = loaded.program("capture").testRun({ data: packet });
      process.stdout.write(`${what}: the socket gets ${returnValue}\n`);
    }
  });
