/** Observing a load balancer: events, calls per service, and the use of maps. */
import { loadBalancerMetrics, loadBalancerStatus, Monitor } from "../../src/lb/index.ts";
import { possibleCpus } from "../../src/kernel/index.ts";
import { kernelElementCount, load, type TypedMap } from "../../src/loader/index.ts";
import { hash, lruHash, MapFlag, percpuHash, u32, type MapDefinition } from "../../src/types/index.ts";
import { observed, type Case } from "../suite/case.ts";
import { elementCounts } from "../suite/features.ts";
import { testConfig, withLoadBalancer, type TestLoadBalancer } from "../suite/load-balancer.ts";
import { addresses, services } from "../suite/network.ts";
import { errorOf, Socket, withSockets } from "../suite/socket.ts";

const service = { address: services.service4, port: 80 };
const entry = { name: "web", ...service, protocol: "udp", backends: [`${addresses.backend4}:8001`] } as const;

/** Connects a new socket to the service and returns its peer. */
function ask({ cgroup }: TestLoadBalancer): string {
  return withSockets((keep) => {
    const socket = keep(cgroup.inside(Socket.udp4));
    const error = errorOf(() => socket.connect(service));
    return error !== "ok" ? error : socket.peer.address;
  });
}

const shape = { key: u32, value: u32, maxEntries: 1000 };
const perCpu = new Array<number>(possibleCpus()).fill(1);
const counted: readonly (readonly [name: string, definition: MapDefinition, value: unknown])[] = [
  ["hash", hash("counted", { ...shape, flags: MapFlag.NO_PREALLOC }), 1],
  ["LRU", lruHash("counted_lru", shape), 1],
  ["per-CPU", percpuHash("counted_percpu", { ...shape, flags: MapFlag.NO_PREALLOC }), perCpu],
];

export const observability: readonly Case[] = [
  {
    name: "observability/a monitor gets events, and closing it restores the programs",
    expect: observed(
      `pre-forward web ${service.address}:80, ` +
        `post-forward web ${service.address}:80 -> ${addresses.backend4}:8001, ` +
        `pre-reverse web ${addresses.backend4}:8001, post-reverse web ${addresses.backend4}:8001 -> ` +
        `${service.address}:80; events on, then off; the same programs`,
    ),
    run: () =>
      withLoadBalancer(async (balancer) => {
        const { pins } = balancer;
        await balancer.load([entry]);
        const status = () => loadBalancerStatus(pins)!;
        const programs = () =>
          status()
            .programs.map(({ id }) => id)
            .join();
        const before = programs();
        const monitor = await Monitor.open(pins);
        const on = status().events;
        const peer = ask(balancer);
        const events = monitor
          .read()
          .map(
            ({ kind, service, original, translated }) =>
              `${kind} ${service} ${original}${translated === undefined ? "" : ` -> ${translated}`}`,
          );
        await monitor.close();
        const told = peer === service.address ? events.join(", ") : `the peer is ${peer}`;
        return {
          kind: "observed",
          value:
            `${told}; events ${on}, then ${status().events}; ` +
            `${programs() === before ? "the same" : "other"} programs`,
        };
      }),
  },
  {
    name: "observability/calls are counted by service",
    expect: observed("2 translated, 2 replies"),
    run: () =>
      withLoadBalancer(async (balancer) => {
        const config = testConfig([entry]);
        await balancer.loadConfig({ ...config, options: { ...config.options, metrics: true } });
        for (let i = 0; i < 2; i++) ask(balancer);
        const { translated, replies } = loadBalancerMetrics(balancer.pins).services[0]!.counters;
        return { kind: "observed", value: `${translated} translated, ${replies} replies` };
      }),
  },
  {
    name: "observability/the kernel's element count of a map equals a walk's",
    needs: elementCounts,
    expect: observed("hash: 90 of 90, LRU: 90 of 90, per-CPU: 90 of 90"),
    run() {
      const found = counted.map(([name, definition, value]) => {
        using collection = load([], { maps: [definition] });
        const map = collection.map(definition) as unknown as TypedMap<number, unknown>;
        for (let i = 0; i < 100; i++) map.set(i, value);
        for (let i = 0; i < 10; i++) map.delete(i);
        return { name, kept: kernelElementCount(definition, map.fd), walked: map.count() };
      });
      if (found.some(({ kept }) => kept === undefined))
        return { kind: "refused", errno: "none", log: "the kernel has no count" };
      return {
        kind: "observed",
        value: found.map(({ name, kept, walked }) => `${name}: ${kept} of ${walked}`).join(", "),
      };
    },
  },
];
