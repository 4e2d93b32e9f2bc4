import { suite } from "uvu";
import * as assert from "uvu/assert";
import { applyPlan, readState } from "./control.ts";
import type { ControlMaps } from "./maps.ts";
import { NO_SLOTS, planServices } from "./plan.ts";
import type { ServiceDefinition } from "./service.ts";

const test = suite("control plane");

/** Maps in memory that write down what is done to them. */
function fakeMaps(log: string[]): ControlMaps {
  const fake = (name: string, maxEntries: number, first: readonly [unknown, unknown][] = []) => {
    const elements = new Map(first.map(([key, value]) => [JSON.stringify(key), [key, value] as const]));
    return {
      maxEntries,
      get: (key: unknown) => elements.get(JSON.stringify(key))?.[1],
      getMany: (keys: readonly unknown[]) => keys.map((key) => elements.get(JSON.stringify(key))?.[1]),
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
  return {
    services: fake("services", 8),
    slots: fake("slots", 5),
    backends: fake("backends", 9),
    generation: fake("generation", 1, [[0, 0xffff_ffff]]),
    serviceNames: fake("names", 8),
    allocation: fake("allocation", 1),
  } as unknown as ControlMaps;
}

const service = (port: number, backends: readonly string[]): ServiceDefinition =>
  ({ name: `s${port}`, address: "100.0.0.1", port, protocol: "udp", backends: backends.map((address) => ({ address, port: 53 })) });

test("writes slots before the service that names them, waits before slots are used anew, and bumps the generation last", () => {
  const log: string[] = [];
  const maps = fakeMaps(log);
  const wait = () => void log.push("wait");
  const change = (services: readonly ServiceDefinition[]) => {
    log.length = 0;
    applyPlan(maps, planServices(readState(maps), services), wait);
    return log.slice();
  };
  assert.equal(change([service(1, ["20.0.0.1"]), service(2, ["20.0.0.1", "20.0.0.2"])]),
    ["allocation set", "slots set 3", "backends set 3", "names set 2", "services set 2", "wait", "generation set", "wait"]);
  assert.is(maps.generation.get(0), 0, "the generation goes on from the beginning behind 2^32 - 1");
  assert.equal(change([service(1, ["20.0.0.3"]), service(2, ["20.0.0.3", "20.0.0.4"])]), [
    "allocation set", "slots set 2", "backends set 2", "services set 1", "backends delete 2", "wait",
    "allocation set", "slots set 1", "backends set 1", "services set 1", "backends delete 1", "wait",
    "generation set", "wait",
  ]);
  assert.equal(change([]), ["allocation set", "services delete 2", "names delete 2", "backends delete 3", "wait", "generation set", "wait"]);
  assert.equal(change([]), ["generation set", "wait"], "the process that wrote the services may have died before that");
});

test("reads what the maps say, and does not follow a service out of the slots map", () => {
  const maps = fakeMaps([]);
  applyPlan(maps, planServices(readState(maps), [service(1, ["20.0.0.1"]), service(2, [])]), () => {});
  const key = { address: "100.0.0.1", port: 3, protocol: 17, scope: 0 };
  maps.services.set(key, { key, range: { base: 3, count: 0x7fff_ffff }, revNatIndex: 9, flags: 0, affinityTimeout: 0 });
  const { services, slotCount, serviceRoom } = readState(maps);
  assert.equal([slotCount, serviceRoom], [5, 8]);
  assert.equal(services.map(({ name, value, backends }) => [name, value.range.base, backends.map(({ address }) => address)]), [
    ["s1", 0, ["20.0.0.1"]],
    ["s2", NO_SLOTS, []],
    [undefined, 3, []],
  ]);
});

test.run();
