import { existsSync } from "node:fs";
import * as assert from "uvu/assert";
import { errnoOf, SocketClient } from "../../programs/testing/index.ts";
import { PinDirectory } from "../loader/index.ts";
import { toolSuite, withCgroup, withPins } from "../testing/index.ts";
import { builtOptions } from "./apply/index.ts";
import { Balancer, loadBalancerStatus, OWNER, type Service, type SourceState, type Status } from "./index.ts";

const test = toolSuite("Balancer", ["python3"], { kernel: true });

/** Small maps: all tests share this machine's memory. */
const maps = { services: 32, slots: 64, backends: 64, cilium_lb4_reverse_sk: 256 };
const options = { ipv6: false };

const SERVICE = { address: "100.0.0.1", port: 53 };
const dns = (...ports: readonly number[]): Service => ({
  name: "dns",
  protocol: "udp",
  ...SERVICE,
  backends: ports.map((port) => ({ address: "127.0.0.1", port, weight: 1, state: "active" })),
});
const state = (...services: readonly Service[]): SourceState => ({ services, options, maps });

const withPlace = (work: (place: { cgroup: string; pins: string }) => Promise<void>): Promise<void> =>
  withCgroup((cgroup) => withPins(OWNER, (pins) => work({ cgroup, pins })));

const ids = ({ programs, maps }: Status) => ({
  programs: programs.map(({ id, linkId }) => [id, linkId]),
  maps: maps.map(({ id }) => id),
});
const messageOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => "none",
    (error: unknown) => (error as Error).message,
  );

test("apply attaches programs, keeps them for other services, and replaces them for other options", () =>
  withPlace(async (place) => {
    await using balancer = new Balancer(place);
    assert.is(balancer.status(), undefined);
    const first = await balancer.apply(state(dns(53)));
    assert.is(first.programs, "attached");
    assert.equal(first.services, { added: 1, changed: 0, removed: 0, unchanged: 0 });
    const before = ids(balancer.status()!);

    const same = await balancer.apply(state(dns(53)));
    assert.equal([same.programs, same.services.unchanged], ["kept", 1]);
    const other = await balancer.apply(state(dns(53, 54)));
    assert.equal([other.programs, other.services.changed], ["kept", 1]);
    assert.equal(ids(balancer.status()!), before);
    assert.is(balancer.status()!.services[0]!.backends.length, 2);

    // Another process, or another version with the same code, keeps them too.
    await using second = new Balancer(place);
    assert.is((await second.apply(state(dns(53)))).programs, "kept");
    assert.equal(ids(second.status()!), before);

    const counting = { ...state(dns(53)), options: { ...options, metrics: true } };
    assert.is((await balancer.apply(counting)).programs, "replaced");
    const after = ids(balancer.status()!);
    assert.equal(
      after.programs.map(([, link]) => link),
      before.programs.map(([, link]) => link),
      "the links stay",
    );
    assert.ok(after.programs.every(([id], i) => id !== before.programs[i]![0]));
    assert.is((await balancer.apply(counting)).programs, "kept");

    const affinity = { ...counting, services: [{ ...dns(53), affinityTimeout: 60 }] };
    assert.is((await balancer.apply(affinity)).programs, "replaced", "the first service that uses a feature");
    assert.is((await balancer.apply(affinity)).programs, "kept");
  }));

test("programs of another version are replaced, by apply and by attach", () =>
  withPlace(async (place) => {
    await using balancer = new Balancer(place);
    await balancer.apply(state(dns(53)));
    const pretendOtherVersion = () => {
      using built = PinDirectory.open(place.pins, OWNER)!.map(builtOptions);
      const { json } = built.get(0)!;
      assert.match(json, /"digest":"[^"]{43}"/);
      built.set(0, { json: json.replace(/"digest":"[^"]*"/, '"digest":"another"') });
    };
    pretendOtherVersion();
    assert.is((await balancer.apply(state(dns(53)))).programs, "replaced");
    assert.is((await balancer.apply(state(dns(53)))).programs, "kept");
    pretendOtherVersion();
    assert.is((await balancer.attach()).programs, "replaced");
    assert.is((await balancer.attach()).programs, "kept");
  }));

test("attach keeps services and options, and attaches again where the cgroup is gone", () =>
  withPlace(async ({ cgroup, pins }) => {
    const wanted = {
      ...state({ ...dns(53, 54), affinityTimeout: 60 }),
      options: { ...options, getpeername: "service", metrics: true },
    } as const;
    await withCgroup(async (shortLived) => {
      await using balancer = new Balancer({ cgroup: shortLived, pins });
      assert.is((await balancer.apply(wanted)).programs, "attached");
    });
    const { services } = loadBalancerStatus(pins)!;
    await using balancer = new Balancer({ cgroup, pins });
    assert.is((await balancer.attach()).programs, "attached");
    const after = balancer.status()!;
    assert.ok(after.programs.every((program) => program.attached && program.cgroup === cgroup));
    assert.equal(after.services, services);
    assert.is((await balancer.apply(wanted)).programs, "kept", "the options are the same");
  }));

test("attach without anything loaded loads no services, and apply continues from there", () =>
  withPlace(async (place) => {
    await using balancer = new Balancer(place);
    assert.is((await balancer.attach()).programs, "attached");
    assert.equal(balancer.status()!.services, []);
    assert.is((await balancer.apply({ services: [dns(53)] })).programs, "kept");
    assert.is(balancer.status()!.services.length, 1);
  }));

test("close leaves the data path running, waits for calls in progress, and refuses others", () =>
  withPlace(async (place) => {
    const client = new SocketClient({ cgroup: place.cgroup });
    try {
      const balancer = new Balancer(place);
      const applying = balancer.apply(state(dns()));
      await balancer.close();
      assert.is((await applying).programs, "attached");
      const socket = await client.open("udp");
      assert.is(await errnoOf(socket.connect(SERVICE)), "EHOSTUNREACH", "the service has no backends");
      assert.match(await messageOf(balancer.apply(state(dns(53)))), /it is closed/);
      assert.throws(() => balancer.status(), /it is closed/);
      assert.equal(loadBalancerStatus(place.pins)!.services[0]!.backends, []);
    } finally {
      await client.kill();
    }
  }));

test("an apply that fails leaves everything as it was", () =>
  withPlace(async (place) => {
    await using balancer = new Balancer(place);
    await balancer.apply(state(dns(53, 54)));
    const shown = () => {
      const { programs, services } = balancer.status()!;
      return { programs, services, ids: ids(balancer.status()!) };
    };
    const before = shown();
    const others = Array.from({ length: 9 }, (_, i) => ({ ...dns(53), name: `s${i}`, address: `100.0.1.${i}` }));
    const heavy = others.map((service) => ({
      ...service,
      backends: [1, 6].map((weight) => ({ address: "127.0.0.1", port: 53 + weight, weight, state: "active" as const })),
    }));
    const failing: readonly [state: SourceState, message: RegExp][] = [
      [{ ...state(dns(53)), maps: { ...maps, slots: 32 } }, /its max entries is 64/],
      [{ ...state(dns(53)), optOut: { cgroups: ["no/such/cgroup"] } }, /does not exist/],
      [state({ ...dns(53), hostPort: 80, hostIP: "198.51.100.1" }), /not an address of this host/],
      [state(dns(53), dns(54)), /^2 problems in the desired state\n {2}services\[1\]\.name: .*\n {2}services\[1\]: /],
      // The new services fit, but not beside the old ones while they change.
      [state(...heavy, dns(55)), /cannot allocate|at most 64 slots/],
    ];
    for (const [wanted, message] of failing) {
      assert.match(await messageOf(balancer.apply(wanted)), message);
      assert.equal(shown(), before);
    }
    assert.is((await balancer.apply(state(dns(53, 54)))).services.unchanged, 1);
  }));

test("a first apply that fails leaves nothing", () =>
  withPlace(async ({ cgroup, pins }) => {
    await using balancer = new Balancer({ cgroup, pins: `${pins}-first` });
    assert.match(await messageOf(balancer.apply(state(dns(53), dns(54)))), /2 problems/);
    const tooFew = { ...state({ ...dns(53), nodePort: 30_053 }), maps: { ...maps, services: 1 } };
    assert.match(await messageOf(balancer.apply(tooFew)), /map services has room for 1/);
    assert.not.ok(existsSync(`${pins}-first`));
  }));

test("calls of one balancer take their turn", () =>
  withPlace(async (place) => {
    await using balancer = new Balancer(place);
    const results = await Promise.all([dns(53), dns(54), dns(54)].map((service) => balancer.apply(state(service))));
    assert.equal(
      results.map(({ services }) => [services.added, services.changed, services.unchanged]),
      [
        [1, 0, 0],
        [0, 1, 0],
        [0, 0, 1],
      ],
    );
  }));

test.run();
