/** Builds the programs that a desired state needs. */
import { createHash } from "node:crypto";
import { defaultOptions, loadBalancerPrograms, Scope, type DataPathOptions } from "../../../programs/index.ts";
import { encode, type Program } from "../../asm/index.ts";
import { instructionSetLevel } from "../../loader/index.ts";
import { Errno } from "../../types/index.ts";
import { attachOrder, probeDataPath, probeIpv6OnlyBit } from "../host/index.ts";
import { anyHasFlag, ServiceFlag, type HostState, type Options, type ServiceDefinition } from "../model/index.ts";
import { optionsText, type BuildIdentity } from "./built-options.ts";

/** Programs in the order of attaching. */
export interface Build extends BuildIdentity {
  readonly programs: readonly Program[];
}

/** Builds programs, and keeps the last build: the same options give the same build without work. */
export class ProgramBuilder {
  #features: ReturnType<typeof probeDataPath> | undefined;
  #ipv6Only: { readonly bit: number | undefined } | undefined;
  #last: Build | undefined;

  /** The running kernel's features, probed once. @throws {BpfError} */
  get features(): ReturnType<typeof probeDataPath> {
    return (this.#features ??= probeDataPath());
  }

  /** `DataPathOptions.ipv6OnlyBit`; probed once. @throws {BpfError} */
  get ipv6OnlyBit(): number | undefined {
    return (this.#ipv6Only ??= { bit: probeIpv6OnlyBit() }).bit;
  }

  build(options: DataPathOptions): Build {
    if (this.#last === undefined || optionsText(this.#last.options) !== optionsText(options)) {
      const isa = instructionSetLevel();
      const programs = loadBalancerPrograms(options)
        .map((source) => source.compile({ isa }))
        .sort((a, b) => attachOrder(a.expectedAttachType) - attachOrder(b.expectedAttachType));
      this.#last = { options, programs, digest: digestOf(programs) };
    }
    return this.#last;
  }
}

/** A digest of what the kernel runs: code, maps and hooks. Source lines do not count. */
function digestOf(programs: readonly Program[]): string {
  const hash = createHash("sha256");
  for (const { name, type, expectedAttachType, instructions, maps } of programs) {
    const references = instructions.map(({ reference }) => reference).filter((reference) => reference !== undefined);
    const shapes = maps.map((map) => [map.name, map.type, map.key.size, map.value.size, map.flags]);
    hash.update(JSON.stringify([name, type, expectedAttachType, references, shapes]));
    hash.update(encode(instructions));
  }
  return hash.digest("base64url");
}

/** Inputs of the data path: the kernel's features, the options, the features that services use. */
export function dataPathOptions(
  options: Options,
  services: readonly ServiceDefinition[],
  host: HostState,
  kernel: Pick<ProgramBuilder, "features" | "ipv6OnlyBit">,
): DataPathOptions {
  const uses = (flag: number) => anyHasFlag(services, flag);
  const nodePorts = services.some(({ frontEnds }) => frontEnds.some(({ scope }) => scope === Scope.NODE_PORT));
  return {
    ...defaultOptions,
    ...kernel.features,
    ipv6: options.ipv6,
    rememberStreams: options.getpeername === "service",
    recentInReverseMap: options.reverseEntries === "all",
    metrics: options.metrics,
    noBackendErrno: options.noBackend && Errno[options.noBackend],
    affinity: services.some(({ affinityTimeout }) => affinityTimeout > 0),
    trackConnections: uses(ServiceFlag.CLOSE_SOCKETS),
    nodePorts,
    ipv6OnlyBit: nodePorts && options.ipv6 ? kernel.ipv6OnlyBit : undefined,
    hostNamespaceOnly: options.hostNamespaceOnly,
    hostNamespaceServices: uses(ServiceFlag.HOST_NAMESPACE),
    hostNetnsCookie: host.hostNetnsCookie,
    maglev: uses(ServiceFlag.MAGLEV),
    skipSelf: uses(ServiceFlag.SKIP_SELF),
    optOutNamespaces: host.optOutNamespaces.length > 0,
    optOutCgroupLevels: [...new Set(host.optOutCgroups.map(({ level }) => level))].sort((a, b) => a - b),
  };
}
