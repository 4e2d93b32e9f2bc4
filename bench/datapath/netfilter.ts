/** The services as nftables and iptables rules and IPVS virtual servers, in kube-proxy's form. */
import { spawnSync } from "node:child_process";
import { servicesOf, type Service } from "./services.ts";

export interface NetfilterKind {
  readonly name: string;
  /** A command that reads the rules from standard input. */
  readonly command: readonly string[];
  /** Replaces all services with these. */
  readonly rules: (services: readonly Service[]) => string;
}

const protocolName = { 6: "tcp", 17: "udp" } as const;

/** A map finds the service's chain, which picks a backend at random. */
const nftables: NetfilterKind = {
  name: "nftables",
  command: ["nft", "-f", "-"],
  rules: (services) =>
    [
      // Created before it is deleted, since it may not exist.
      "table ip balancer {}",
      "delete table ip balancer",
      "table ip balancer {",
      ...services.map(
        ({ index, protocol, backends }) =>
          `chain s${index} {\nmeta l4proto ${protocolName[protocol]} ` +
          `dnat to numgen random mod ${backends.length} map { ${backends
            .map(({ address }, i) => `${i} : ${address}`)
            .join(", ")} } : ${backends[0]!.port}\n}`,
      ),
      "map services {\ntype ipv4_addr . inet_proto . inet_service : verdict\nelements = {",
      services
        .map(
          ({ index, address, port, protocol }) => `${address} . ${protocolName[protocol]} . ${port} : goto s${index}`,
        )
        .join(",\n"),
      "}\n}",
      "chain output {\ntype nat hook output priority -100\nip daddr . meta l4proto . th dport vmap @services\n}",
      "}\n",
    ].join("\n"),
};

/** A list of rules, one per service, each leading to one rule per backend. */
const iptables: NetfilterKind = {
  name: "iptables",
  command: ["iptables-legacy-restore"],
  rules: (services) =>
    [
      "*nat",
      ...services.map(({ index }) => `:S${index} - [0:0]`),
      ...services.map(
        ({ index, address, port, protocol }) =>
          `-A OUTPUT -d ${address}/32 -p ${protocolName[protocol]} --dport ${port} -j S${index}`,
      ),
      ...services.flatMap(({ index, protocol, backends }) =>
        backends.map(
          ({ address, port }, i) =>
            `-A S${index} -p ${protocolName[protocol]} ${
              i === backends.length - 1
                ? ""
                : `-m statistic --mode random --probability ${(1 / (backends.length - i)).toFixed(8)} `
            }-j DNAT --to-destination ${address}:${port}`,
        ),
      ),
      "COMMIT\n",
    ].join("\n"),
};

const ipvs: NetfilterKind = {
  name: "IPVS",
  command: ["ipvsadm", "-R"],
  rules: (services) =>
    `-C\n${services
      .flatMap(({ address, port, protocol, backends }) => {
        const flag = protocol === 6 ? "-t" : "-u";
        return [
          `-A ${flag} ${address}:${port} -s rr`,
          ...backends.map((backend) => `-a ${flag} ${address}:${port} -r ${backend.address}:${backend.port} -m`),
        ];
      })
      .join("\n")}\n`,
};

export const netfilterKinds: readonly NetfilterKind[] = [nftables, iptables, ipvs];

/**
 * Sets the rules of a network namespace.
 * @throws {Error} with the tool's message
 */
export function writeRules(
  { command, rules }: NetfilterKind,
  networkNamespace: string,
  services: readonly Service[],
): void {
  const { status, stderr, error } = spawnSync("ip", ["netns", "exec", networkNamespace, ...command], {
    input: rules(services),
    encoding: "utf8",
  });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${command[0]} failed: ${stderr.trim().split("\n")[0]}`);
}

/** Why this kind cannot be measured here; undefined if it can. Tries it in the network namespace. */
export function whyNot(kind: NetfilterKind, networkNamespace: string): string | undefined {
  const tool = kind.command[0]!;
  if (spawnSync(tool, ["--version"]).error !== undefined) return `not measured, since ${tool} is not installed`;
  try {
    writeRules(kind, networkNamespace, servicesOf(1));
    return undefined;
  } catch (error) {
    return `not available on this kernel (${(error as Error).message})`;
  }
}
