/**
 * connect4, connect6: a firewall. connect() to one port fails.
 *
 *     npx tsx examples/deny-port.ts --port 8080 -- curl -s http://127.20.0.11:8080/
 */
import {
  array,
  be16,
  cgroup,
  Errno,
  isMain,
  load,
  PROCEED,
  REJECT,
  u64,
  VerifierError,
  type BuilderOf,
  type ContextOf,
} from "tsbpf";
import { portOption, runExample } from "./support/run.ts";

const denied = array("denied", { value: u64, maxEntries: 1 });

type Connect = typeof cgroup.connect4 | typeof cgroup.connect6;

/** `withErrno` needs Linux 5.18. Before that a refused call always fails with EPERM. */
function denyPort(port: number, withErrno: boolean) {
  const decide = (b: BuilderOf<Connect>, ctx: ContextOf<Connect>): typeof PROCEED => {
    b.if(ctx.userPort.eq(be16(port)), () => {
      b.lookup(denied, 0).ifFound((counter) => counter.value.atomicAdd(1));
      if (withErrno) b.setRetval(-Errno.ECONNREFUSED);
      b.return(REJECT);
    });
    return PROCEED;
  };
  return [cgroup.connect4("deny_connect4", decide), cgroup.connect6("deny_connect6", decide)];
}

if (isMain(import.meta))
  await runExample({
    name: "deny-port",
    summary: "Refuses connect() to a port.",
    options: { port: { type: "string", help: "the port, 1 to 65535" } },
    load(options) {
      const port = portOption(options, "port");
      try {
        return load(denyPort(port, true));
      } catch (error) {
        if (!(error instanceof VerifierError)) throw error;
        return load(denyPort(port, false));
      }
    },
    report: (collection) => `denied: ${collection.map(denied).get(0)}`,
  });
