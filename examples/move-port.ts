/**
 * sendmsg4, sendmsg6, recvmsg4, recvmsg6: datagrams to one port reach another port of the same host, and their
 * answers seem to come from the first. Sockets that are not connected send and receive through these hooks.
 *
 *     npx tsx examples/move-port.ts --from 53 --to 5353 -- COMMAND...
 */
import { array, be16, cgroup, isMain, load, PROCEED, u64, type BuilderOf, type ContextOf } from "tsbpf";
import { portOption, runExample } from "./support/run.ts";

const counters = array("moved", { value: u64, maxEntries: 2 });
const SENT = 0;
const RECEIVED = 1;

type Datagram = typeof cgroup.sendmsg4 | typeof cgroup.sendmsg6 | typeof cgroup.recvmsg4 | typeof cgroup.recvmsg6;

/** A step that replaces one port by another. */
const replacePort =
  (from: number, to: number, counter: number) =>
  (b: BuilderOf<Datagram>, ctx: ContextOf<Datagram>): typeof PROCEED => {
    b.if(ctx.userPort.eq(be16(from)), () => {
      ctx.userPort.set(be16(to));
      b.lookup(counters, counter).ifFound(({ value }) => value.atomicAdd(1));
    });
    return PROCEED;
  };

function movePort(from: number, to: number) {
  return [
    cgroup.sendmsg4("move_sendmsg4", replacePort(from, to, SENT)),
    cgroup.sendmsg6("move_sendmsg6", replacePort(from, to, SENT)),
    cgroup.recvmsg4("move_recvmsg4", replacePort(to, from, RECEIVED)),
    cgroup.recvmsg6("move_recvmsg6", replacePort(to, from, RECEIVED)),
  ];
}

if (isMain(import.meta))
  await runExample({
    name: "move-port",
    summary: "Sends datagrams for one port to another, and shows answers as if from the first.",
    options: {
      from: { type: "string", help: "the port that processes name" },
      to: { type: "string", help: "the port that datagrams reach" },
    },
    load: (options) => load(movePort(portOption(options, "from"), portOption(options, "to"))),
    report(collection) {
      const [sent, received] = collection.map(counters).getRange(0, 2);
      return `sent ${sent}, received ${received}`;
    },
  });
