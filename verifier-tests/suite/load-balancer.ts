/** The load balancer for the sockets of a test cgroup, set up by its own control plane. */
import { existsSync } from "node:fs";
import { Balancer, OWNER, parseConfig, type ApplyResult, type SourceState } from "../../src/lb/index.ts";
import { PinDirectory } from "../../src/loader/index.ts";
import { inTestCgroup, type TestCgroup } from "./cgroup.ts";

/** A service of the configuration file. */
export interface ServiceEntry {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly protocol: "tcp" | "udp";
  /** `address:port`. */
  readonly backends: readonly string[];
}

export class TestLoadBalancer {
  readonly cgroup: TestCgroup;
  readonly pins: string;

  constructor(cgroup: TestCgroup, pins: string) {
    this.cgroup = cgroup;
    this.pins = pins;
  }

  /** Loads these services, or replaces the loaded ones. */
  load(services: readonly ServiceEntry[]): Promise<ApplyResult> {
    return this.loadConfig(testConfig(services));
  }

  loadConfig(config: SourceState): Promise<ApplyResult> {
    return new Balancer({ cgroup: this.cgroup.path, pins: this.pins }).apply(config);
  }
}

/** A configuration with maps that are quick to create. */
export function testConfig(services: readonly ServiceEntry[]): ReturnType<typeof parseConfig> {
  const maps = { services: 64, slots: 256, cilium_lb4_reverse_sk: 1024 };
  return parseConfig(JSON.stringify({ services, maps }), "the verifier tests' configuration");
}

let made = 0;

/** Runs `use` with a cgroup and a pin directory, then removes both. */
export function withLoadBalancer<T>(use: (balancer: TestLoadBalancer) => Promise<T>): Promise<T> {
  return inTestCgroup(async (cgroup) => {
    const pins = `/sys/fs/bpf/verifier-tests-${process.pid}-${made++}`;
    try {
      return await use(new TestLoadBalancer(cgroup, pins));
    } finally {
      if (existsSync(pins)) PinDirectory.open(pins, OWNER)?.removeAll();
    }
  });
}
