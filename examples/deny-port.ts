/**
 * A firewall: connect() to one port fails.
 *
 *     npx tsx examples/deny-port.ts --port 8000 -- curl -s http://127.0.0.1:8000/
 */
import {
  array,
  be16,
  cgroup,
  Errno,
  load,
  PROCEED,
  REJECT,
  u64,
  VerifierError,
  type BuilderWith,
  type SockAddr4,
  type SockAddr6,
} from "tsbpf";
import { runExample, UsageError } from "./support/run.ts";

const denied = array("denied", { value: u64, maxEntries: 1 });

/** `withErrno` asks for Linux 5.18: before, a call that is refused fails with EPERM, and the program has no say in it. */
function denyPort(port: number, withErrno: boolean) {
  const decide = (b: BuilderWith<"setRetval", 0 | 1>, ctx: SockAddr4 | SockAddr6): typeof PROCEED => {
    b.if(ctx.userPort.eq(be16(port)), () => {
      b.lookup(denied, 0).ifFound((counter) => counter.value.atomicAdd(1));
      if (withErrno) b.setRetval(-Errno.ECONNREFUSED);
      b.return(REJECT);
    });
    return PROCEED;
  };
  return [cgroup.connect4("deny_connect4", decide), cgroup.connect6("deny_connect6", decide)];
}

await runExample({
  name: "deny-port",
  summary: "Lets no connect() to a port through.",
  options: { port: { type: "string", help: "the port, 1 to 65535" } },
  load({ port }) {
    const number = Number(port);
    if (!Number.isInteger(number) || number < 1 || number > 65_535)
      throw new UsageError("--port takes a number from 1 to 65535");
    try {
      return load(denyPort(number, true));
    } catch (error) {
      if (!(error instanceof VerifierError)) throw error;
      return load(denyPort(number, false));
    }
  },
  report: (collection) => `denied: ${collection.map(denied).get(0)}`,
});
