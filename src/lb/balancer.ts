/** The load balancer as one object: attach it, give it services, ask for its status. */
import { cgroupRoot, checkManager, type PinDirectory } from "../loader/index.ts";
import {
  builtOptions,
  controlMaps,
  dataPathOptions,
  mapSizes,
  pinnedFamilies,
  pinnedSizes,
  ProgramBuilder,
  readBuiltOptions,
  readState,
  storedDefinitions,
  transact,
  type Target,
  type TransactionResult,
} from "./apply/index.ts";
import { addressesOf, readHostState } from "./host/index.ts";
import {
  checkServices,
  completeState,
  expandServices,
  fieldText,
  LoadBalancerError,
  problemsText,
  type HostState,
  type SourceState,
} from "./model/index.ts";
import { loadBalancerStatus, type Status } from "./observe/index.ts";
import { hostEntries } from "./plan/index.ts";

/** Where a load balancer works, and where it keeps its state. */
export interface BalancerPlace {
  /** A directory on a BPF file system. Programs, links and maps are pinned there and outlive the process. */
  readonly pins: string;
  /** A cgroup v2 directory: processes in it and below it are balanced. Default: the root of the hierarchy. */
  readonly cgroup?: string | undefined;
  /** A file of the host's network namespace, whose addresses are the host's. Default: this process's namespace. */
  readonly hostNetworkNamespace?: string | undefined;
  /** Whether a load balancer that these pins keep on another cgroup moves to this one. Default: false, an error. */
  readonly move?: boolean | undefined;
  /** Whether to attach beside another load balancer on the cgroup: each call passes both. Default: false, an error. */
  readonly beside?: boolean | undefined;
  /** Called at each step of a change, with words for people: `verifying the programs`. */
  readonly onStep?: ((text: string) => void) | undefined;
}

/** The result of `apply`. */
export interface ApplyResult extends TransactionResult {
  /** Local redirects without a backend on this node: calls to their addresses pass through. */
  readonly withoutLocalBackends: readonly string[];
}

/**
 * A load balancer in the kernel. Its state is in pinned maps, so it keeps
 * working when the process ends, and another `Balancer` with the same pins
 * continues from there. Changes of several processes exclude each other.
 *
 * Programs are built and replaced only if what they are built for changes: an
 * option, a feature that a service is the first or last to use, the cgroup, or
 * the programs' code in another version of tsbpf.
 *
 * @example
 * ```ts
 * import { Balancer } from "tsbpf/lb";
 *
 * await using balancer = new Balancer({ pins: "/sys/fs/bpf/tsbpf" });
 * await balancer.apply({
 *   services: [
 *     {
 *       name: "web",
 *       protocol: "tcp",
 *       address: "10.96.0.10",
 *       port: 80,
 *       backends: [{ address: "192.0.2.1", port: 8080, weight: 1, state: "active" }],
 *     },
 *   ],
 * });
 * console.log(balancer.status()?.services);
 * ```
 */
export class Balancer implements AsyncDisposable {
  readonly #place: BalancerPlace;
  readonly #builder = new ProgramBuilder();
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;

  /** Touches nothing: the first call of a method does. */
  constructor(place: BalancerPlace) {
    this.#place = place;
  }

  /**
   * Attaches the programs, and leaves services and options as the maps hold
   * them: after a restart or an update of tsbpf, before the first desired state
   * is known. If nothing is loaded, it loads no services and the default options.
   *
   * @returns whether programs were attached, replaced, or kept
   * @throws {LoaderError | LoadBalancerError} if the machine, the cgroup or the pin directory is not fit
   * @throws {BpfError} if the kernel refuses; everything is as it was
   * @throws {VerifierError} if its verifier refuses a program; everything is as it was
   *
   * @example
   * ```ts
   * import { Balancer } from "tsbpf/lb";
   *
   * await using balancer = new Balancer({ pins: "/sys/fs/bpf/tsbpf" });
   * const { programs } = await balancer.attach(); // "attached", "replaced" or "kept"
   * ```
   */
  attach(): Promise<Pick<ApplyResult, "programs">> {
    return this.#inTurn(async () => {
      checkManager();
      const { programs } = await this.#transact((pins) => this.#loaded(pins));
      return { programs };
    });
  }

  /**
   * Makes these the services and settings, in place of all others. Attaches the
   * programs if need be. Every call of a process sees either the old state or
   * the new. If it fails, everything is as it was.
   *
   * @throws {LoadBalancerError} if the state is inconsistent (with every problem), names something that does not exist,
   *   or does not fit into the maps
   * @throws {LoaderError} if the machine, the cgroup or the pin directory is not fit
   * @throws {BpfError} if the kernel refuses
   * @throws {VerifierError} if its verifier refuses a program
   *
   * @example
   * ```ts
   * import { Balancer, fileSource } from "tsbpf/lb";
   *
   * await using balancer = new Balancer({ pins: "/sys/fs/bpf/tsbpf" });
   * for await (const state of fileSource("services.yaml")) {
   *   const { services } = await balancer.apply(state);
   *   console.log(`${services.added} added, ${services.changed} changed, ${services.removed} removed`);
   * }
   * ```
   */
  apply(state: SourceState): Promise<ApplyResult> {
    return this.#inTurn(async () => {
      checkManager();
      const desired = completeState(state);
      requireConsistency(desired);
      const { hostNetworkNamespace } = this.#place;
      this.#place.onStep?.("planning the services");
      const services = expandServices(desired, addressesOf(hostNetworkNamespace));
      const host = readHostState(desired, services, hostNetworkNamespace);
      const target: Target = {
        options: dataPathOptions(desired.options, services, host, this.#builder),
        services,
        entries: hostEntries(host, services),
        sizes: mapSizes(desired.maps),
      };
      const result = await this.#transact(() => target);
      const expanded = new Set(services.map(({ name }) => name));
      return {
        ...result,
        withoutLocalBackends: desired.services.map(({ name }) => name).filter((name) => !expanded.has(name)),
      };
    });
  }

  /**
   * What is loaded, read from the kernel.
   * @returns undefined if nothing is loaded
   * @throws {LoaderError} if the pin directory belongs to something else, or this process lacks the privileges
   * @throws {BpfError} if the kernel refuses
   *
   * @example
   * ```ts
   * import { Balancer } from "tsbpf/lb";
   *
   * await using balancer = new Balancer({ pins: "/sys/fs/bpf/tsbpf" });
   * const attached = balancer.status()?.programs.every((program) => program.attached) ?? false;
   * ```
   */
  status(): Status | undefined {
    this.#requireOpen();
    return loadBalancerStatus(this.#place.pins);
  }

  /**
   * Waits for calls in progress and refuses further ones. The data path keeps
   * running; `unloadLoadBalancer` removes it.
   *
   * @example
   * ```ts
   * import { Balancer } from "tsbpf/lb";
   *
   * const balancer = new Balancer({ pins: "/sys/fs/bpf/tsbpf" });
   * await balancer.apply({ services: [] });
   * await balancer.close();
   * ```
   */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#last;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #transact(target: (pins: PinDirectory) => Target): Promise<TransactionResult> {
    const { cgroup = cgroupRoot(), ...place } = this.#place;
    return transact({ ...place, cgroup }, this.#builder, target);
  }

  /** The loaded state, as the target of a transaction; without services if nothing is loaded. */
  #loaded(pins: PinDirectory): Target {
    const names = pins.names("maps");
    // It is pinned last: without it, an interrupted load has left other maps.
    if (!names.includes(builtOptions.name)) {
      const { options, maps } = completeState({ services: [] });
      return { options: dataPathOptions(options, [], unusedHost, this.#builder), services: [], sizes: mapSizes(maps) };
    }
    using built = pins.map(builtOptions);
    const { generation, families } = controlMaps(pins, pinnedFamilies(pins));
    try {
      return {
        options: { ...readBuiltOptions(built), ...this.#builder.features },
        services: [...families.values()].flatMap((maps) => storedDefinitions(readState(maps))),
        sizes: pinnedSizes(pins, names),
      };
    } finally {
      for (const map of [generation, ...[...families.values()].flatMap((maps) => Object.values(maps))]) map.close();
    }
  }

  /** Runs `work` after the calls before it. */
  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    this.#requireOpen();
    const result = this.#last.then(work);
    this.#last = result.catch(() => undefined);
    return result;
  }

  #requireOpen(): void {
    if (this.#closed)
      throw new LoadBalancerError(`cannot use the balancer of ${this.#place.pins}: it is closed`, {
        hint: "create another Balancer with the same pins",
      });
  }
}

/** The state of a host that no setting refers to. */
const unusedHost: HostState = { hostNetnsCookie: undefined, namespaces: [], optOutCgroups: [], optOutNamespaces: [] };

/** @throws {LoadBalancerError} with every problem */
function requireConsistency(state: ReturnType<typeof completeState>): void {
  const problems: string[] = [];
  checkServices(state, (path, message) => problems.push(`${fieldText(path)}: ${message}`));
  if (problems.length === 0) return;
  throw new LoadBalancerError(problemsText(problems, "problems in the desired state"), {
    hint: "nothing was changed; correct the services and apply them again",
  });
}
