/**
 * postBind4, postBind6: which process has bound which port, ports that the kernel chose included.
 *
 *     npx tsx examples/port-owners.ts -- python3 -m http.server 8000
 */
import { cgroup, hash, isMain, load, PROCEED, Protocol, struct, u32, u64, type BuilderWith, type Scalar } from "tsbpf";
import { runExample } from "./support/run.ts";

const Binding = struct("binding", { port: u32, protocol: u32 });
const owners = hash("owners", { key: Binding, value: u64, maxEntries: 1024 });

/** The hook shows the port in the machine's byte order. */
function remember(
  b: BuilderWith<"getCurrentPidTgid", 0 | 1>,
  { srcPort, protocol }: { srcPort: Scalar<"u32">; protocol: Scalar<"u32"> },
): typeof PROCEED {
  b.update(owners, { port: srcPort, protocol }, b.getCurrentPidTgid().shr(32));
  return PROCEED;
}

export const bound4 = cgroup.postBind4("bound4", remember);
export const bound6 = cgroup.postBind6("bound6", remember);

if (isMain(import.meta))
  await runExample({
    name: "port-owners",
    summary: "Tells which process has bound which port.",
    load: () => load([bound4, bound6]),
    report(collection) {
      const bindings = [...collection.map(owners).entries()].sort(([a], [b]) => a.port - b.port);
      return (
        bindings
          .map(([{ port, protocol }, pid]) => `${protocol === Protocol.TCP ? "TCP" : "UDP"} ${port}: process ${pid}`)
          .join(", ") || "no port bound yet"
      );
    },
  });
