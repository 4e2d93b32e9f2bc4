import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { filterPlace, filterWords } from "../../../programs/index.ts";
import {
  endpointText,
  isReachable,
  LoadBalancerError,
  ServiceFlag,
  slotsNeeded,
  type BackendDefinition,
  type BackendStateName,
  type FrontEnd,
  type ServiceDefinition,
} from "../model/index.ts";
import type { FilterWords } from "./filter.ts";
import { maglevTable } from "./maglev.ts";
import { planServices, type Plan } from "./plan.ts";
import { NO_SLOTS } from "./rounds.ts";
import {
  definitionOf,
  keyText,
  memberText,
  storedServices,
  type Member,
  type ServiceKeyValue,
  type ServiceValue,
  type Setting,
  type SlotValue,
  type State,
} from "./state.ts";

const test = suite("plan");

const backend = (n: number, weight = 1, state: BackendStateName = "active"): BackendDefinition => ({
  address: `20.0.0.${n}`,
  port: 80,
  weight,
  state,
});
/** A slot, and a key of the backends map. */
const slot = (n: number, state = 0): SlotValue => ({ address: `20.0.0.${n}`, port: 80, state });
const member = (n: number, revNatIndex: number) => ({ address: `20.0.0.${n}`, port: 80, revNatIndex });
const frontEnd = (n: number, port = 80): FrontEnd => ({ address: `100.0.0.${n}`, port, scope: 0, flags: 0 });
const service = (
  n: number,
  backends: readonly BackendDefinition[],
  more: Partial<ServiceDefinition> = {},
): ServiceDefinition => ({
  name: `service ${n}`,
  protocol: "tcp",
  frontEnds: [frontEnd(n)],
  backends,
  affinityTimeout: 0,
  ...more,
});
/** A service with a Maglev table. */
const withTable = (service: ServiceDefinition, maglevTableSize = 7): ServiceDefinition => ({
  ...service,
  maglevTableSize,
  frontEnds: service.frontEnds.map((frontEnd) => ({ ...frontEnd, flags: frontEnd.flags | ServiceFlag.MAGLEV })),
});

/** The maps as objects. `write` is called after every single write, where a program may run. */
class Maps {
  readonly services = new Map<string, { key: ServiceKeyValue; value: ServiceValue }>();
  readonly names = new Map<string, { key: ServiceKeyValue; name: string }>();
  readonly members = new Map<string, Member>();
  readonly settings = new Map<string, Setting>();
  readonly filter = new Map<number, bigint>();
  readonly slots: SlotValue[];
  readonly serviceRoom: number;
  readonly memberRoom: number;
  allocation = { nextSlot: 0, nextRevNatIndex: 0 };

  constructor(slotCount: number, serviceRoom = 100, memberRoom = 100) {
    this.serviceRoom = serviceRoom;
    this.memberRoom = memberRoom;
    this.slots = Array.from({ length: slotCount }, () => ({ address: "0.0.0.0", port: 0, state: 0 }));
  }

  state(): State {
    return {
      frontEnds: [...this.services].map(([text, { key, value }]) => ({
        key,
        value,
        name: this.names.get(text)?.name,
        slots: this.slots.slice(value.range.base, value.range.base + value.range.count),
      })),
      strayNames: [...this.names.values()].map(({ key }) => key).filter((key) => !this.services.has(keyText(key))),
      members: [...this.members.values()],
      settings: [...this.settings.values()],
      filter: new Map(this.filter),
      allocation: this.allocation,
      memberRoom: this.memberRoom,
      serviceRoom: this.serviceRoom,
      slotCount: this.slots.length,
    };
  }

  apply(plan: Plan, afterWrite: () => void = () => {}): void {
    const writeFilter = (words: FilterWords) => {
      for (const [word, bits] of words) {
        this.filter.set(word, bits);
        afterWrite();
      }
    };
    writeFilter(plan.filter.wider);
    for (const round of plan.rounds) {
      // A program that read a service before this round may still read its slots in it.
      const used = new Set(
        this.state().frontEnds.flatMap(({ value }) =>
          Array.from({ length: value.range.count }, (_, i) => value.range.base + i),
        ),
      );
      const steps = [
        () => (this.allocation = round.allocation),
        ...round.slots.map(([index, slot]) => () => {
          assert.ok(index < this.slots.length && !used.has(index), `slot ${index} is written while in use`);
          this.slots[index] = slot;
        }),
        ...round.members.map((member) => () => {
          this.members.set(memberText(member[0]), member);
          assert.ok(this.members.size <= this.memberRoom);
        }),
        ...round.settings.map((setting) => () => this.settings.set(memberText(setting[0]), setting)),
        ...round.names.map(
          ([key, name]) =>
            () =>
              this.names.set(keyText(key), { key, name }),
        ),
        ...round.services.map(([key, value]) => () => {
          this.services.set(keyText(key), { key, value });
          assert.ok(this.services.size <= this.serviceRoom);
        }),
        ...round.removedServices.map((key) => () => assert.ok(this.services.delete(keyText(key)))),
        ...round.removedNames.map((key) => () => assert.ok(this.names.delete(keyText(key)))),
        ...round.removedMembers.map((key) => () => assert.ok(this.members.delete(memberText(key)))),
        ...round.removedSettings.map((key) => () => assert.ok(this.settings.delete(memberText(key)))),
      ];
      for (const step of steps) {
        step();
        afterWrite();
      }
    }
    writeFilter(plan.filter.narrower);
  }

  /** Services that no program would look up, as the filter lacks their bit. */
  hidden(): string[] {
    return [...this.services.values()]
      .filter(({ key }) => isReachable(key))
      .filter(({ key }) => {
        const { word, bit } = filterPlace(key);
        return (((this.filter.get(word) ?? 0n) >> BigInt(bit)) & 1n) === 0n;
      })
      .map(({ key }) => keyText(key));
  }

  /** Backends in a service's slots that a flow could not keep. */
  strangers(): string[] {
    return this.state().frontEnds.flatMap(({ value: { revNatIndex }, slots }) =>
      slots
        .map(({ address, port }) => memberText({ address, port, revNatIndex }))
        .filter((text) => !this.members.has(text)),
    );
  }

  /** For each service, what a program would read: slots (in order only for a Maglev table), affinity timeout. */
  seen(): Map<string, string> {
    return new Map(
      this.state().frontEnds.map(({ key, slots, value }) => {
        const texts = slots.map((slot) => endpointText(slot) + (slot.state === 0 ? "" : `(${slot.state})`));
        const table = (value.flags & ServiceFlag.MAGLEV) !== 0;
        return [
          keyText(key),
          [
            ...(table ? ["table", ...texts] : texts.sort()),
            ...(value.affinityTimeout > 0 ? [`for ${value.affinityTimeout} s`] : []),
          ].join(" "),
        ];
      }),
    );
  }

  /** The services as desired. */
  definitions(): ServiceDefinition[] {
    return storedServices(this.state()).map(({ revNatIndex, ...service }) => {
      const { revNatIndex: index, ...definition } = definitionOf({ revNatIndex, ...service })!;
      assert.is(index, revNatIndex);
      return definition;
    });
  }
}

function loaded(
  slotCount: number,
  services: readonly ServiceDefinition[],
  serviceRoom?: number,
  memberRoom?: number,
): Maps {
  const maps = new Maps(slotCount, serviceRoom, memberRoom);
  maps.apply(planServices(maps.state(), services));
  return maps;
}

test("gives each service a row of slots, its own index, and its name", () => {
  const maps = loaded(10, [service(1, [backend(1), backend(2)]), service(2, [backend(3)])]);
  assert.equal(
    [...maps.services.values()].map(({ value }) => [value.range.base, value.range.count, value.revNatIndex]),
    [
      [0, 2, 1],
      [2, 1, 2],
    ],
  );
  assert.equal(maps.slots.slice(0, 3), [slot(1), slot(2), slot(3)]);
  assert.equal(
    maps.state().frontEnds.map(({ name }) => name),
    ["service 1", "service 2"],
  );
});

test("is empty if nothing changes, whatever the order of the backends", () => {
  const maps = loaded(10, [service(1, [backend(1), backend(2)])]);
  const plan = planServices(maps.state(), [service(1, [backend(2), backend(1)])]);
  assert.equal(plan, {
    rounds: [],
    filter: { wider: [], narrower: [] },
    indices: { kept: [1], taken: [] },
    added: 0,
    changed: 0,
    removed: 0,
    unchanged: 1,
  });
});

test("moves a changed service to fresh slots, and keeps its index and the places of backends that stay", () => {
  const maps = loaded(10, [service(1, [backend(1), backend(2), backend(3)]), service(2, [backend(9)])]);
  const plan = planServices(maps.state(), [service(1, [backend(3), backend(4), backend(1)]), service(2, [backend(9)])]);
  assert.is(plan.changed, 1);
  assert.is(plan.unchanged, 1);
  assert.is(plan.rounds.length, 1);
  assert.equal(
    plan.rounds[0]!.slots.map(([index, slot]) => [index, slot.address]),
    [
      [4, "20.0.0.1"],
      [5, "20.0.0.4"],
      [6, "20.0.0.3"],
    ],
  );
  assert.equal(
    plan.rounds[0]!.services.map(([, value]) => value),
    [
      {
        key: maps.state().frontEnds[0]!.key,
        range: { base: 4, count: 3 },
        revNatIndex: 1,
        flags: 0,
        affinityTimeout: 0,
      },
    ],
  );
});

test("a service without backends has no slots, and a base that no flow has", () => {
  const maps = loaded(4, [service(1, [])]);
  assert.equal([...maps.services.values()][0]!.value, {
    key: maps.state().frontEnds[0]!.key,
    range: { base: NO_SLOTS, count: 0 },
    revNatIndex: 1,
    flags: 0,
    affinityTimeout: 0,
  });
});

test("reuses slots and indices late, across runs too", () => {
  const maps = loaded(6, [service(1, [backend(1)])]);
  const bases: number[] = [];
  for (let n = 2; n < 9; n++) {
    maps.apply(planServices(maps.state(), [service(1, [backend(n)])]));
    bases.push([...maps.services.values()][0]!.value.range.base);
  }
  assert.equal(bases, [1, 2, 3, 4, 5, 0, 1]);
  maps.apply(planServices(maps.state(), []));
  maps.apply(planServices(maps.state(), [service(1, [backend(1)])]));
  assert.is([...maps.services.values()][0]!.value.revNatIndex, 2);
});

test("a new name alone changes no service's value", () => {
  const maps = loaded(4, [service(1, [backend(1)])]);
  const plan = planServices(maps.state(), [service(1, [backend(1)], { name: "other" })]);
  assert.is(plan.changed, 1);
  assert.is(plan.rounds[0]!.services.length + plan.rounds[0]!.slots.length, 0);
  maps.apply(plan);
  assert.is(maps.state().frontEnds[0]!.name, "other");
});

test("repairs what a killed command or another program left", () => {
  const wanted = [service(1, [backend(1)]), service(2, [backend(2), backend(3)]), service(3, [])];
  const maps = loaded(10, wanted);
  const [first, second, third] = [1, 2, 3].map((n) => maps.services.get(`100.0.0.${n}:80/6/0`));
  maps.services.set(keyText(second!.key), {
    key: second!.key,
    value: { ...second!.value, range: { ...second!.value.range, base: 9 }, revNatIndex: 1 },
  });
  maps.services.set(keyText(third!.key), { key: third!.key, value: { ...third!.value, revNatIndex: 0 } });
  maps.slots[first!.value.range.base] = { address: "6.6.6.6", port: 6, state: 0 };
  const nobody = { address: "9.9.9.9", port: 9, protocol: 6, scope: 0 };
  maps.names.set(keyText(nobody), { key: nobody, name: "stray" });
  maps.settings.set("1/9.9.9.9:9", [
    { address: "9.9.9.9", port: 9, revNatIndex: 1 },
    { weight: 7, state: 0 },
  ]);
  maps.names.delete(keyText(first!.key));
  maps.members.delete("1/20.0.0.1:80");
  for (const stray of [
    [member(9, 2), 0],
    [member(2, 9), 0],
  ] as const)
    maps.members.set(memberText(stray[0]), stray);
  const plan = planServices(maps.state(), wanted);
  assert.is(plan.changed, 3);
  maps.apply(plan);
  assert.equal(maps.seen(), loaded(10, wanted).seen());
  assert.equal(
    maps
      .state()
      .frontEnds.map(({ name }) => String(name))
      .sort(),
    ["service 1", "service 2", "service 3"],
  );
  assert.is(new Set(maps.state().frontEnds.map(({ value }) => value.revNatIndex)).size, 3);
  assert.equal(maps.state().strayNames, []);
  assert.equal(maps.strangers(), []);
  assert.is(maps.members.size, 3);
  assert.is(maps.settings.size, 0);
  assert.is(planServices(maps.state(), wanted).rounds.length, 0);
});

test("takes several rounds if old and new do not fit at once", () => {
  const maps = loaded(6, [service(1, [backend(1), backend(2)]), service(2, [backend(3), backend(4)])]);
  const plan = planServices(maps.state(), [service(1, [backend(5), backend(6)]), service(2, [backend(7), backend(8)])]);
  assert.is(plan.rounds.length, 2);
  maps.apply(plan);
  assert.equal([...maps.seen().values()], ["20.0.0.5:80 20.0.0.6:80", "20.0.0.7:80 20.0.0.8:80"]);
});

test("removes services before it reports a lack of room", () => {
  const maps = loaded(3, [service(1, [backend(1), backend(2), backend(3)])]);
  maps.apply(planServices(maps.state(), [service(2, [backend(1), backend(2), backend(3)])]));
  assert.equal([...maps.seen().keys()], ["100.0.0.2:80/6/0"]);
});

test("adds before it removes, unless the services map cannot hold both", () => {
  const wanted = [service(3, [backend(1)]), service(4, [backend(1)])];
  const roomy = loaded(9, [service(1, [backend(1)]), service(2, [backend(1)])], 4);
  const least = (maps: Maps) => {
    let services = Infinity;
    maps.apply(planServices(maps.state(), wanted), () => (services = Math.min(services, maps.services.size)));
    assert.equal([...maps.seen().keys()], ["100.0.0.3:80/6/0", "100.0.0.4:80/6/0"]);
    return services;
  };
  assert.is(least(roomy), 2);
  assert.is(least(loaded(9, [service(1, [backend(1)]), service(2, [backend(1)])], 3)), 0);
});

test("reports a services map that is too small", () => {
  assert.throws(
    () => planServices(new Maps(4, 1).state(), [service(1, []), service(2, [])]),
    (error: Error) =>
      error instanceof LoadBalancerError && error.message === "cannot hold 2 services: map services has room for 1",
  );
});

test("takes several rounds if old and new members do not fit at once, and reports it if that does not help", () => {
  const maps = loaded(20, [service(1, [backend(1), backend(2)]), service(2, [backend(3), backend(4)])], 100, 6);
  const plan = planServices(maps.state(), [service(1, [backend(5), backend(6)]), service(2, [backend(7), backend(8)])]);
  assert.is(plan.rounds.length, 2);
  maps.apply(plan, () => assert.equal(maps.strangers(), []));
  assert.throws(
    () =>
      planServices(maps.state(), [
        service(1, [backend(1), backend(2), backend(3)]),
        service(2, [backend(7), backend(8)]),
      ]),
    (error: Error) =>
      error instanceof LoadBalancerError &&
      error.message.startsWith('cannot add 3 backends to service "service 1": map backends holds 4 of at most 6'),
  );
});

test("backends without slots take several rounds too if not all fit at once", () => {
  const wanted = (terminating: number) => [service(1, [backend(1), backend(terminating, 1, "terminating")])];
  const maps = loaded(9, wanted(2), 100, 2);
  assert.throws(
    () =>
      planServices(maps.state(), [
        service(1, [backend(1), backend(2, 1, "terminating"), backend(3, 1, "terminating")]),
      ]),
    /map backends holds 2 of at most 2/,
  );
  const plan = planServices(maps.state(), wanted(3));
  assert.equal(
    plan.rounds.map(({ slots, services, members, removedMembers }) => [
      slots.length,
      services.length,
      members.length,
      removedMembers.length,
    ]),
    [
      [0, 0, 0, 1],
      [0, 0, 1, 0],
    ],
  );
  maps.apply(plan, () => assert.equal(maps.strangers(), []));
  assert.equal(maps.definitions(), wanted(3));
});

test("restores a missing member alone, and changes no service's value", () => {
  const maps = loaded(4, [service(1, [backend(1)])]);
  maps.members.clear();
  const plan = planServices(maps.state(), [service(1, [backend(1)])]);
  assert.is(plan.changed, 1);
  assert.equal(plan.rounds, [
    {
      slots: [],
      members: [[member(1, 1), 0]],
      settings: [],
      names: [],
      services: [],
      removedServices: [],
      removedNames: [],
      removedMembers: [],
      removedSettings: [],
      allocation: maps.allocation,
    },
  ]);
});

test("reports too few slots", () => {
  const maps = loaded(4, [service(1, [backend(1), backend(2), backend(3)])]);
  assert.throws(
    () => planServices(maps.state(), [service(1, [backend(4), backend(5)])]),
    (error: Error) =>
      error instanceof LoadBalancerError &&
      error.message ===
        'cannot allocate 2 slots for service "service 1": 1 of 4 are free, ' +
          "and a service that changes needs its new slots beside the old ones",
  );
});

test("reports scattered free slots", () => {
  const maps = loaded(
    5,
    [1, 2, 3, 4, 5].map((n) => service(n, [backend(n)])),
  );
  maps.apply(
    planServices(
      maps.state(),
      [1, 3, 5].map((n) => service(n, [backend(n)])),
    ),
  );
  assert.throws(
    () =>
      planServices(maps.state(), [
        ...[1, 3, 5].map((n) => service(n, [backend(n)])),
        service(6, [backend(7), backend(8)]),
      ]),
    (error: Error) =>
      error instanceof LoadBalancerError &&
      error.message ===
        'cannot allocate 2 slots for service "service 6" in a row: 2 of 5 are free, in rows of at most 1',
  );
});

test("slots follow the weights in lowest terms", () => {
  const maps = loaded(20, [service(1, [backend(1, 20), backend(2, 10), backend(3, 50)])]);
  assert.equal(
    [...maps.seen().values()],
    ["20.0.0.1:80 20.0.0.1:80 20.0.0.2:80 20.0.0.3:80 20.0.0.3:80 20.0.0.3:80 20.0.0.3:80 20.0.0.3:80"],
  );
  assert.is(maps.members.size, 3);
  assert.equal(maps.definitions(), [service(1, [backend(1, 20), backend(2, 10), backend(3, 50)])]);
  // Other equal weights, or weights in lowest terms already, give the same slots.
  const doubled = planServices(maps.state(), [service(1, [backend(1, 2), backend(2), backend(3, 5)])]);
  assert.is(doubled.changed, 1);
  assert.equal(
    doubled.rounds.map(({ slots, services, removedSettings }) => [
      slots.length,
      services.length,
      removedSettings.length,
    ]),
    [[0, 0, 1]],
  );
  maps.apply(doubled);
  maps.apply(planServices(maps.state(), [service(1, [backend(1), backend(2), backend(3)])]));
  assert.equal([...maps.seen().values()], ["20.0.0.1:80 20.0.0.2:80 20.0.0.3:80"]);
  assert.is(maps.settings.size, 0);
});

test("a terminating backend keeps its flows and gets no new ones; one out of service has none", () => {
  const wanted = [
    service(1, [backend(1), backend(2, 1, "terminating"), backend(3, 3, "quarantined"), backend(4, 1, "maintenance")]),
  ];
  const maps = loaded(20, [service(1, [backend(1), backend(2), backend(3), backend(4)])]);
  maps.apply(planServices(maps.state(), wanted));
  assert.equal([...maps.seen().values()], ["20.0.0.1:80"]);
  assert.equal(
    [...maps.members.values()],
    [
      [member(1, 1), 0],
      [member(2, 1), 1],
    ],
  );
  assert.equal(maps.definitions(), wanted);
  assert.is(planServices(maps.state(), wanted).rounds.length, 0);
});

test("if all backends are terminating, they still get new flows", () => {
  const wanted = [
    service(1, [backend(1, 1, "terminating"), backend(2, 2, "terminating"), backend(3, 1, "maintenance")]),
  ];
  const maps = loaded(20, [service(1, [backend(1), backend(2, 2), backend(3)])]);
  maps.apply(planServices(maps.state(), wanted));
  assert.equal([...maps.seen().values()], ["20.0.0.1:80(1) 20.0.0.2:80(1) 20.0.0.2:80(1)"]);
  assert.equal(maps.definitions(), wanted);
  maps.apply(planServices(maps.state(), [service(1, [backend(3, 1, "quarantined")])]));
  assert.equal([...maps.seen().values()], [""]);
  assert.is(maps.members.size, 0);
  assert.equal(maps.definitions(), [service(1, [backend(3, 1, "quarantined")])]);
});

test("a service with several addresses has one index and one row of slots, and counts as one change", () => {
  const under = (...addresses: readonly number[]) => [
    service(1, [backend(1), backend(2)], { frontEnds: addresses.map((n) => frontEnd(n)) }),
    service(9, [backend(9)]),
  ];
  const maps = loaded(20, under(1, 2, 3));
  const values = () =>
    [...maps.services.values()]
      .filter(({ value }) => value.revNatIndex === 1)
      .map(({ key, value: { range, revNatIndex } }) => [key.address, range.base, range.count, revNatIndex]);
  assert.equal(
    values(),
    [1, 2, 3].map((n) => [`100.0.0.${n}`, 0, 2, 1]),
  );
  assert.is(maps.members.size, 3);
  assert.equal(maps.definitions(), under(1, 2, 3));
  const change = (wanted: readonly ServiceDefinition[]) => {
    const plan = planServices(maps.state(), wanted);
    maps.apply(plan);
    return {
      added: plan.added,
      changed: plan.changed,
      removed: plan.removed,
      slots: plan.rounds.flatMap(({ slots }) => slots).length,
    };
  };
  assert.equal(change(under(2, 3, 4)), { added: 0, changed: 1, removed: 0, slots: 0 });
  assert.equal(
    values(),
    [2, 3, 4].map((n) => [`100.0.0.${n}`, 0, 2, 1]),
  );
  assert.equal(change(under(3)), { added: 0, changed: 1, removed: 0, slots: 0 });
  assert.equal(
    change([service(1, [backend(3)], { frontEnds: [frontEnd(3), frontEnd(5)] }), service(9, [backend(9)])]),
    { added: 0, changed: 1, removed: 0, slots: 1 },
  );
  assert.equal(change([service(9, [backend(9)])]), { added: 0, changed: 0, removed: 1, slots: 0 });
  assert.is(maps.members.size, 1);
});

test("a restored service has its index again", () => {
  const maps = loaded(9, [service(1, [backend(1)]), service(2, [backend(2)])]);
  const before = storedServices(maps.state());
  maps.apply(planServices(maps.state(), [service(3, [backend(3)])]));
  maps.apply(planServices(maps.state(), before.map(definitionOf) as ServiceDefinition[]));
  assert.equal(
    storedServices(maps.state()).map(({ name, revNatIndex }) => [name, revNatIndex]),
    [
      ["service 1", 1],
      ["service 2", 2],
    ],
  );
});

test("an affinity timeout changes in the service's value alone, without new slots", () => {
  const maps = loaded(4, [service(1, [backend(1)], { affinityTimeout: 60 })]);
  assert.is([...maps.services.values()][0]!.value.affinityTimeout, 60);
  const plan = planServices(maps.state(), [service(1, [backend(1)], { affinityTimeout: 90 })]);
  assert.is(plan.changed, 1);
  assert.equal(
    plan.rounds.map(({ slots, services }) => [slots.length, services.length]),
    [[0, 1]],
  );
  maps.apply(plan);
  assert.is(maps.definitions()[0]!.affinityTimeout, 90);
});

test("a Maglev table keeps its order, also when it changes, and the same slots in another order differ", () => {
  const three = [backend(1), backend(2, 3), backend(3)];
  const tabled = (backends: readonly BackendDefinition[]) => [withTable(service(1, backends), 251)];
  const maps = loaded(4_000, tabled(three));
  const table = (backends: readonly BackendDefinition[]) =>
    maglevTable(backends, 251)
      .map(({ address }) => address)
      .join(" ");
  const stored = () =>
    maps
      .state()
      .frontEnds[0]!.slots.map(({ address }) => address)
      .join(" ");
  assert.is(stored(), table(three));
  const definitions = () =>
    maps.definitions().map((service) => ({
      ...service,
      backends: [...service.backends].sort((a, b) => (a.address < b.address ? -1 : 1)),
    }));
  assert.equal(definitions(), tabled(three));
  assert.is(planServices(maps.state(), tabled(three.toReversed())).rounds.length, 0);

  maps.apply(planServices(maps.state(), tabled(three.slice(1))));
  assert.is(stored(), table(three.slice(1)), "where a backend goes, those that stay are not to keep their places");

  const { base } = maps.state().frontEnds[0]!.value.range;
  const other = maps.slots.findIndex((slot, i) => i > base && slot.address !== maps.slots[base]!.address);
  [maps.slots[base], maps.slots[other]] = [maps.slots[other]!, maps.slots[base]!];
  assert.is(planServices(maps.state(), tabled(three.slice(1))).changed, 1);

  // Another table size, and no table.
  maps.apply(planServices(maps.state(), [withTable(service(1, three), 509)]));
  assert.equal(definitions(), [withTable(service(1, three), 509)]);
  maps.apply(planServices(maps.state(), [service(1, three)]));
  assert.equal(definitions(), [service(1, three)]);
  assert.is(maps.state().frontEnds[0]!.value.range.count, 5);
});

test("a service in two parts has two rows of slots and two indices, and counts as one", () => {
  const parts = (...local: readonly BackendDefinition[]) => [
    service(1, [backend(1), backend(2)]),
    service(1, local, { frontEnds: [{ ...frontEnd(2), flags: ServiceFlag.LOCAL_SCOPE }] }),
  ];
  const maps = loaded(20, parts(backend(1)));
  assert.equal(
    [...maps.seen()],
    [
      ["100.0.0.1:80/6/0", "20.0.0.1:80 20.0.0.2:80"],
      ["100.0.0.2:80/6/0", "20.0.0.1:80"],
    ],
  );
  assert.equal(maps.definitions(), parts(backend(1)));
  const change = (wanted: readonly ServiceDefinition[]) => {
    const plan = planServices(maps.state(), wanted);
    maps.apply(plan);
    const { rounds, filter, indices, ...counts } = plan;
    return counts;
  };
  assert.equal(change(parts(backend(1))), { added: 0, changed: 0, removed: 0, unchanged: 1 });
  assert.equal(change(parts()), { added: 0, changed: 1, removed: 0, unchanged: 0 });
  assert.equal(change(parts().slice(0, 1)), { added: 0, changed: 1, removed: 0, unchanged: 0 });
  assert.equal(change(parts(backend(2))), { added: 0, changed: 1, removed: 0, unchanged: 0 });
  // Its address moves from one part to the other.
  assert.equal(
    change([
      service(1, [backend(2)], { frontEnds: [{ ...frontEnd(1), flags: ServiceFlag.LOCAL_SCOPE }, frontEnd(2)] }),
    ]),
    { added: 0, changed: 1, removed: 0, unchanged: 0 },
  );
  assert.is(maps.members.size, 1);
  assert.equal(change([]), { added: 0, changed: 0, removed: 1, unchanged: 0 });
});

test("repairs the filter, whatever a killed command left there", () => {
  const wanted = [
    service(1, [backend(1)]),
    service(2, [], { frontEnds: [{ address: "0.0.0.0", port: 80, scope: 1, flags: 0 }] }),
  ];
  const maps = loaded(10, wanted);
  const { word, bit } = filterPlace(frontEnd(1));
  assert.equal([...maps.filter], [[word, 1n << BigInt(bit)]], "entries that only block bind(2) are not in it");
  const other = (word + 1) % 1024;
  maps.filter.set(word, 0b11n << BigInt(bit === 0 ? 1 : 0)).set(other, 5n);
  const plan = planServices(maps.state(), wanted);
  assert.is(plan.unchanged, 2);
  maps.apply(plan);
  assert.equal(
    [...maps.state().filter].filter(([, bits]) => bits !== 0n),
    [[word, 1n << BigInt(bit)]],
  );
  assert.equal(planServices(maps.state(), wanted).filter, { wider: [], narrower: [] });
  maps.filter.clear();
  maps.apply(planServices(maps.state(), []), () => assert.equal(maps.hidden(), []));
});

test("after every single write, each service is entirely old or entirely new", () => {
  const backends = fc.uniqueArray(
    fc.record({
      n: fc.integer({ min: 1, max: 8 }),
      weight: fc.integer({ min: 1, max: 3 }),
      state: fc.oneof(
        { weight: 4, arbitrary: fc.constant<BackendStateName>("active") },
        fc.constantFrom<BackendStateName>("terminating", "quarantined", "maintenance"),
      ),
    }),
    { selector: ({ n }) => n, maxLength: 4 },
  );
  // No two services of a configuration share an address, but an address may move from one service to another.
  const services = fc
    .tuple(
      fc.shuffledSubarray([1, 2, 3, 4, 5, 6, 7, 8]),
      fc.array(
        fc.record({
          backends,
          addresses: fc.integer({ min: 1, max: 2 }),
          table: fc.oneof({ weight: 3, arbitrary: fc.constant(false) }, fc.constant(true)),
        }),
        { maxLength: 6 },
      ),
    )
    .map(([addresses, list]) =>
      list.flatMap((entry, i) => {
        const before = list.slice(0, i).reduce((sum, other) => sum + other.addresses, 0);
        const own = addresses.slice(before, before + entry.addresses);
        if (own.length === 0) return [];
        const plain = service(
          own[0]!,
          entry.backends.map(({ n, weight, state }) => backend(n, weight, state)),
          { name: `service ${i}`, frontEnds: own.map((n) => frontEnd(n)) },
        );
        // The size of a table without slots is not stored.
        return [entry.table ? withTable(plain, slotsNeeded(plain.backends) === 0 ? 0 : 7) : plain];
      }),
    );
  let planned = 0;
  fc.assert(
    fc.property(
      fc.array(services, { minLength: 1, maxLength: 4 }),
      fc.integer({ min: 16, max: 60 }),
      fc.integer({ min: 8, max: 14 }),
      fc.integer({ min: 8, max: 32 }),
      (history, slotCount, serviceRoom, memberRoom) => {
        const maps = new Maps(slotCount, serviceRoom, memberRoom);
        for (const wanted of history) {
          const before = maps.seen();
          const fresh = new Maps(200);
          fresh.apply(planServices(fresh.state(), wanted));
          const after = fresh.seen();
          let plan: Plan;
          try {
            plan = planServices(maps.state(), wanted);
          } catch (error) {
            assert.instance(error, LoadBalancerError);
            return;
          }
          planned++;
          maps.apply(plan, () => {
            assert.equal(maps.strangers(), []);
            assert.equal(maps.hidden(), []);
            for (const [key, backends] of maps.seen())
              assert.ok(backends === before.get(key) || backends === after.get(key), `${key} is torn: ${backends}`);
          });
          assert.equal(maps.seen(), after);
          assert.equal(
            [...maps.state().filter].filter(([, bits]) => bits !== 0n).sort(([a], [b]) => a - b),
            [...filterWords(wanted.flatMap(({ frontEnds }) => frontEnds))].sort(([a], [b]) => a - b),
          );
          assert.is(maps.members.size, fresh.members.size, "removed members are gone");
          const byName = (definitions: readonly ServiceDefinition[]) =>
            definitions
              .map((definition) =>
                JSON.stringify(definition, (_, value: unknown) =>
                  Array.isArray(value)
                    ? value.map((item) => JSON.stringify(item, Object.keys(item as object).sort())).sort()
                    : value,
                ),
              )
              .sort();
          assert.equal(byName(maps.definitions()), byName(fresh.definitions()));
          assert.is(plan.added + plan.changed + plan.unchanged, wanted.length);
          assert.is(planServices(maps.state(), wanted).rounds.length, 0);
        }
      },
    ),
    { numRuns: 300 },
  );
  assert.ok(planned > 300, `only ${planned} plans were possible`);
});

test("lists the kept indices and the new ones, which may have been another service's", () => {
  const maps = loaded(10, [service(1, [backend(1)]), service(2, [backend(1)])]);
  const { indices } = planServices(maps.state(), [service(2, [backend(2)]), service(3, [backend(1)])]);
  assert.equal(indices, { kept: [2], taken: [3] });
});

test.run();
