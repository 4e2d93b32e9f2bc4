import { suite } from "uvu";
import * as assert from "uvu/assert";
import { applyPlans, bumpGeneration } from "./write-plans.ts";
import type { EntryChange } from "./entry-change.ts";
import { readState } from "./read-state.ts";
import type { ControlMaps, FamilyMaps } from "./maps.ts";
import { NO_SLOTS, planServices } from "../plan/index.ts";
import type { AddressFamily, ServiceDefinition } from "../model/index.ts";

const test = suite("control plane");

/** Maps in memory that log their writes. */
function fakeMaps(log: string[]): ControlMaps {
  const fake = (name: string, maxEntries: number, first: readonly [unknown, unknown][] = []) => {
    const elements = new Map(first.map(([key, value]) => [JSON.stringify(key), [key, value] as const]));
    return {
      maxEntries,
      get: (key: unknown) => elements.get(JSON.stringify(key))?.[1],
      getRange: (first: number, count: number) =>
        Array.from({ length: count }, (_, i) => elements.get(JSON.stringify(first + i))?.[1]),
      set(key: unknown, value: unknown) {
        log.push(`${name} set`);
        elements.set(JSON.stringify(key), [key, value]);
      },
      setMany(entries: readonly (readonly [unknown, unknown])[]) {
        if (entries.length > 0) log.push(`${name} set ${entries.length}`);
        for (const [key, value] of entries) elements.set(JSON.stringify(key), [key, value]);
      },
      deleteMany(keys: readonly unknown[]) {
        if (keys.length > 0) log.push(`${name} delete ${keys.length}`);
        for (const key of keys) elements.delete(JSON.stringify(key));
      },
      [Symbol.iterator]: () => elements.values(),
    };
  };
  const family = (suffix: string) => ({
    services: fake(`services${suffix}`, 8),
    serviceFilter: fake(`filter${suffix}`, 1024),
    slots: fake(`slots${suffix}`, 5),
    backends: fake(`backends${suffix}`, 9),
    serviceNames: fake(`names${suffix}`, 8),
    backendSettings: fake(`settings${suffix}`, 9),
    allocation: fake(`allocation${suffix}`, 1),
  });
  return {
    generation: fake("generation", 1, [[0, 0xffff_ffff]]),
    families: new Map([
      ["ipv4", family("")],
      ["ipv6", family("6")],
    ]),
  } as unknown as ControlMaps;
}

const service = (port: number, backends: readonly string[], address = "100.0.0.1"): ServiceDefinition => ({
  name: `s${port}`,
  protocol: "udp",
  affinityTimeout: 0,
  frontEnds: [{ address, port, scope: 0, flags: 0 }],
  backends: backends.map((address) => ({ address, port: 53, weight: 1, state: "active" })),
});

function apply(
  maps: ControlMaps,
  services: readonly ServiceDefinition[],
  wait = () => {},
  services6: readonly ServiceDefinition[] = [],
): void {
  const wanted = { ipv4: services, ipv6: services6 };
  applyPlans(
    maps,
    new Map(
      Array.from(maps.families, ([family, map]: [AddressFamily, FamilyMaps]) => [
        family,
        planServices(readState(map), wanted[family]),
      ]),
    ),
    [],
    wait,
  );
}

test("filter and slots are written before the service, reused after a wait, the generation is bumped last", () => {
  const log: string[] = [];
  const maps = fakeMaps(log);
  const wait = () => void log.push("wait");
  const change = (services: readonly ServiceDefinition[], services6?: readonly ServiceDefinition[]) => {
    log.length = 0;
    apply(maps, services, wait, services6);
    return log.slice();
  };
  assert.equal(change([service(1, ["20.0.0.1"]), service(2, ["20.0.0.1", "20.0.0.2"])]), [
    "filter set 2",
    "allocation set",
    "slots set 3",
    "backends set 3",
    "names set 2",
    "services set 2",
    "wait",
    "generation set",
    "wait",
  ]);
  assert.is(maps.generation.get(0), 0, "the generation goes on from the beginning behind 2^32 - 1");
  assert.equal(change([service(1, ["20.0.0.3"]), service(2, ["20.0.0.3", "20.0.0.4"])]), [
    "allocation set",
    "slots set 2",
    "backends set 2",
    "services set 1",
    "backends delete 2",
    "wait",
    "allocation set",
    "slots set 1",
    "backends set 1",
    "services set 1",
    "backends delete 1",
    "wait",
    "generation set",
    "wait",
  ]);
  assert.equal(change([]), [
    "allocation set",
    "services delete 2",
    "names delete 2",
    "backends delete 3",
    "wait",
    "filter set 2",
    "generation set",
    "wait",
  ]);
  assert.equal(change([]), ["generation set", "wait"], "the process that wrote the services may have died before that");
  const weighted = service(1, ["20.0.0.1"]);
  assert.equal(
    change(
      [{ ...weighted, backends: [{ ...weighted.backends[0]!, weight: 2 }] }],
      [service(1, ["fd00::1"], "fd00::2")],
    ),
    [
      "filter set 1",
      "filter6 set 1",
      "allocation set",
      "slots set 1",
      "backends set 1",
      "settings set 1",
      "names set 1",
      "services set 1",
      "allocation6 set",
      "slots6 set 1",
      "backends6 set 1",
      "names6 set 1",
      "services6 set 1",
      "wait",
      "generation set",
      "wait",
    ],
    "both families are waited for at once",
  );
  assert.equal(change([]), [
    "allocation set",
    "services delete 1",
    "names delete 1",
    "backends delete 1",
    "settings delete 1",
    "allocation6 set",
    "services6 delete 1",
    "names6 delete 1",
    "backends6 delete 1",
    "wait",
    "filter set 1",
    "filter6 set 1",
    "generation set",
    "wait",
  ]);
});

test("other maps are filled before the services change and emptied after, both before the generation", () => {
  const log: string[] = [];
  const maps = fakeMaps(log);
  const wait = () => void log.push("wait");
  const change = { add: () => void log.push("add"), remove: () => void log.push("remove") } as unknown as EntryChange;
  applyPlans(
    maps,
    new Map([["ipv4", planServices(readState(maps.families.get("ipv4")!), [service(1, [])])]]),
    [change],
    wait,
  );
  assert.equal(log, [
    "add",
    "filter set 1",
    "allocation set",
    "names set 1",
    "services set 1",
    "wait",
    "remove",
    "generation set",
    "wait",
  ]);
  log.length = 0;
  applyPlans(maps, new Map(), [change], wait);
  assert.equal(log, ["add", "wait", "remove", "generation set", "wait"]);
  log.length = 0;
  bumpGeneration(maps, wait);
  assert.equal(
    log,
    ["wait", "generation set"],
    "a program that was replaced meanwhile has ended before the generation that it may not know",
  );
});

test("reads the state, and ignores slots outside of the slots map", () => {
  const maps = fakeMaps([]);
  apply(maps, [service(1, ["20.0.0.1"]), service(2, [])]);
  const ipv4 = maps.families.get("ipv4")!;
  const key = { address: "100.0.0.1", port: 3, protocol: 17, scope: 0 };
  ipv4.services.set(key, { key, range: { base: 3, count: 0x7fff_ffff }, revNatIndex: 9, flags: 0, affinityTimeout: 0 });
  const { frontEnds, slotCount, serviceRoom } = readState(ipv4);
  assert.equal([slotCount, serviceRoom], [5, 8]);
  assert.equal(
    frontEnds.map(({ name, value, slots }) => [name, value.range.base, slots.map(({ address }) => address)]),
    [
      ["s1", 0, ["20.0.0.1"]],
      ["s2", NO_SLOTS, []],
      [undefined, 3, []],
    ],
  );
});

test.run();
