/** The services as rules of nftables and iptables and as virtual servers of IPVS, in the forms that kube-proxy gives them. */
import { spawnSync } from "node:child_process";
import { servicesOf, type Service } from "./services.ts";

export interface NetfilterKind {
  readonly name: string;
  /** Reads the rules from standard input. */
  readonly command: readonly string[];
  /** Puts these services in place of those that were there. */
  readonly rules: (services: readonly Service[]) => string;
}

const protocolName = { 6: "tcp", 17: "udp" } as const;

/** One map finds the service's chain, which draws a backend. */
const nftables: NetfilterKind = {
  name: "nftables",
  command: ["nft", "-f", "-"],
  rules: (services) =>
    [
      // Made before it is deleted, since there may be none.
      "table ip balancer {}",
      "delete table ip balancer",
      "table ip balancer {",
      ...services.map(
        ({ index, protocol, backends }) =>
          `chain s${index} {\nmeta l4proto ${protocolName[protocol]} dnat to numgen random mod ${backends.length} map { ${backends
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

/** A rule for each service, one after the other, which leads to a rule for each backend. */
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
 * Gives a network namespace its rules.
 * @throws {Error} with what the tool said
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

/** Why this kind cannot be measured here; undefined where it can. It is tried in the network namespace. */
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
