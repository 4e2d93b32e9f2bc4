/** Cases that real sockets cannot cause or show. */
import * as assert from "uvu/assert";
import { builtInHelpers, type HelperTable, type WorldHelper } from "tsbpf/sim";
import { connected, maps4, maps6, OLDER_FLOWS, RECENT_FLOWS, ServiceFlag, type DataPathOptions } from "../../index.ts";
import { endpointText, type Endpoint } from "../endpoint.ts";
import { errnoOf } from "../socket-error.ts";
import { mapsFor, serviceKey } from "../service-table.ts";
import { ask, notRemembered, Scene, ways, type SimulatorCase } from "./case.ts";
import type { SimulatedClientSocket, SimulatedStage } from "./simulated-stage.ts";
import { ENDS_AS_MAPPED } from "./stage.ts";
import { views } from "./views.ts";

const ENOMEM = 12;
const FLOWS = [0, 1, 2, 3] as const;
const uses = [
  ["tcp", "connect"],
  ["udp", "connect"],
  ["udp", "sendto"],
] as const;

const ofServices = views.flatMap((view) =>
  uses.flatMap(([protocol, way]): SimulatorCase[] => {
    const [scheme] = view.schemes;
    const [service, asked] = [scheme.service(0), view.asked(scheme.service(0))];
    const name = (what: string) => `${view.name}, ${protocol}, ${way}: ${what}`;
    const turnTo = (socket: SimulatedClientSocket): Promise<void> =>
      way === "connect" ? socket.connect(asked) : socket.send("hello", asked);
    /** Turns to the service, and gives the backend that the socket's packets come to. */
    const destination = async (stage: SimulatedStage, socket?: SimulatedClientSocket): Promise<string> => {
      const client = socket ?? (await stage.socket(protocol, view.family));
      await turnTo(client);
      if (way === "connect") await client.send("hello");
      return (await client.receive()).text;
    };
    const writeTorn = (stage: SimulatedStage): void => {
      stage.services.set(service, protocol, [scheme.backend(0)]);
      const [services, key] = [stage.open(mapsFor(service.address).services), serviceKey(service, protocol)];
      services.set(key, { ...services.get(key)!, key: serviceKey(scheme.service(1), protocol) });
    };
    const whileRead = "the element would have to change between two instructions of the program";
    return [
      {
        name: name("an element becomes another service's while it is read, and is found again"),
        needs: view.needs,
        whyNotOnTheKernel: whileRead,
        helpers: () =>
          betweenLooks(mapsFor(service.address).services.name, (open) => {
            const services = open(mapsFor(service.address).services);
            const key = serviceKey(service, protocol);
            services.set(key, { ...services.get(key)!, key });
          }),
        async play(stage) {
          writeTorn(stage);
          assert.is(await destination(stage), scheme.backend(0));
        },
      },
      {
        name: name("an element becomes another service's while it is read, and its own service is gone"),
        needs: view.needs,
        whyNotOnTheKernel: whileRead,
        helpers: () =>
          betweenLooks(
            mapsFor(service.address).services.name,
            (open) => void open(mapsFor(service.address).services).delete(serviceKey(service, protocol)),
          ),
        async play(stage) {
          writeTorn(stage);
          const socket = await stage.socket(protocol, view.family);
          // It is not a service, and nothing listens there.
          assert.is(await errnoOf(turnTo(socket)), protocol === "tcp" ? "ECONNREFUSED" : undefined);
          if (protocol === "udp" && way === "connect") assert.equal(await socket.peer(), asked);
        },
      },
      {
        name: name("no memory for what the socket is to remember: the call is refused and counted, and leaves nothing"),
        needs: view.needs,
        whyNotOnTheKernel: "memory would have to run out",
        helpers: () => ({ bpf_sk_storage_get: () => undefined }),
        async play(stage) {
          stage.services.set(service, protocol, [scheme.backend(0)], { flags: ServiceFlag.CLOSE_SOCKETS });
          if (protocol === "udp" || stage.options.rememberStreams) {
            assert.is(await errnoOf(destination(stage)), notRemembered(stage));
            if (stage.options.metrics) stage.checkCounters(service.address, 1, { notRemembered: 1 });
          } else assert.is(await destination(stage), scheme.backend(0));
          assert.equal(stage.reverseEntries(), []);
        },
      },
      {
        name: name("no room in any map: it is counted, and the answer is the service's all the same"),
        needs: [...view.needs, "metrics", "affinity", "trackConnections"],
        whyNotOnTheKernel: "LRU maps make room, and memory would have to run out",
        helpers: () => ({ bpf_map_update_elem: () => -ENOMEM }),
        async play(stage) {
          stage.services.set(service, protocol, [scheme.backend(0)], {
            revNatIndex: 5,
            affinityTimeout: 1,
            flags: ServiceFlag.CLOSE_SOCKETS,
          });
          const socket = await stage.socket(protocol, view.family);
          // A datagram socket that comes back finds its flow, and is connected anew.
          const times = protocol === "udp" ? 2 : 1;
          for (let i = 0; i < times; i++) assert.is(await destination(stage, socket), scheme.backend(0));
          stage.checkCounters(service.address, 5, {
            translated: times,
            affinityUpdateFailed: 1,
            ...(protocol === "udp" && { replies: times, reverseUpdateFailed: 1 }),
            ...(way === "connect" && { connectionUpdateFailed: times }),
          });
        },
      },
      ...(way === "connect"
        ? [
            {
              name: name(
                "no memory for the backend's name, also when a socket comes back to it: it goes there all the same",
              ),
              needs: [...view.needs, "trackConnections" as const],
              whyNotOnTheKernel: "memory would have to run out",
              helpers: (): HelperTable => ({
                bpf_sk_storage_get: (call, world) =>
                  call.pointer(1).region.name === `map ${connected.name}`
                    ? undefined
                    : builtInHelpers.bpf_sk_storage_get!(call, world),
              }),
              async play(stage: SimulatedStage) {
                stage.services.set(service, protocol, [scheme.backend(0)], { flags: ServiceFlag.CLOSE_SOCKETS });
                const socket = await stage.socket(protocol, view.family);
                for (let i = 0; i < (protocol === "udp" ? 2 : 1); i++)
                  assert.is(await destination(stage, socket), scheme.backend(0));
              },
            },
          ]
        : []),
    ];
  }),
);

const ofReplies = views.flatMap((view) =>
  (["recvmsg", "getpeername"] as const).map(
    (hook): SimulatorCase => ({
      name: `${view.name}: an empty flow matches no address, ` + `not even port 0 of the unspecified address (${hook})`,
      needs: view.needs,
      whyNotOnTheKernel: "nothing comes from there",
      async play(stage) {
        const [scheme] = view.schemes;
        stage.services.set(scheme.service(0), "udp", [scheme.backend(0)]);
        const socket = await stage.socket("udp", view.family);
        await socket.exchange("hello", view.asked(scheme.service(0)));
        await socket.exchange("hello", view.asked(scheme.backendEndpoint(0)));
        const nowhere = view.asked({ address: scheme.service(0).address.includes(":") ? "::" : "0.0.0.0", port: 0 });
        assert.equal(socket.translate(hook, view.family, nowhere), nowhere);
      },
    }),
  ),
);

const otherWays = new WeakMap<DataPathOptions, DataPathOptions>();

/** The options for the other treatment of recent flows; one object per set of options, so that builds are shared. */
function otherWay(options: DataPathOptions): DataPathOptions {
  const found = otherWays.get(options) ?? { ...options, recentInReverseMap: !options.recentInReverseMap };
  otherWays.set(options, found);
  return found;
}

/** Fates of a socket's recent flows when programs of the other kind take over. */
const inheritances: readonly { readonly what: string; readonly happen: (scene: Scene) => Promise<void> }[] = [
  { what: "its end", happen: async () => {} },
  {
    what: "their backends are asked directly",
    async happen(scene) {
      for (const i of FLOWS) {
        await scene.askDirectly(i);
        scene.remembers(...FLOWS.filter((other) => other > i));
      }
    },
  },
  {
    what: "their services are gone",
    async happen(scene) {
      for (const i of FLOWS) {
        if (scene.way === "connect") await scene.socket.connect(scene.asked(i));
        await scene.socket.send("hello", scene.way === "connect" ? undefined : scene.asked(i));
        scene.stage.services.remove(scene.scheme.service(i), "udp");
        // The peer's service is gone; the flow to it is looked at when a datagram comes from there.
        if (scene.way === "connect") await scene.socket.dissolve();
        await scene.socket.receive();
        scene.remembers(...FLOWS.filter((other) => other > i));
      }
    },
  },
  {
    what: "their services get other backends, and change them between them",
    async happen(scene) {
      scene.serve(0, 4);
      await scene.askFor(0, 4);
      scene.remembers([0, 4], 1, 2, 3);
      for (const [moved, to] of [
        [1, 2],
        [2, 3],
        [3, 4],
      ] as const) {
        scene.serve(moved, to);
        await scene.askFor(moved, to);
      }
      scene.remembers([1, 2], [2, 3], [3, 4]);
    },
  },
  {
    what: "their services become others, with the same backends",
    async happen(scene) {
      for (const i of FLOWS) {
        scene.serve(i, i, 11 + i);
        await scene.askFor(i);
      }
      scene.remembers(...FLOWS.map((i) => [i, i, 11 + i] as const));
    },
  },
  {
    what: "another service comes to have a backend of theirs",
    async happen(scene) {
      for (const i of FLOWS) {
        scene.serve(4, i);
        await scene.askFor(4, i);
      }
      scene.remembers([4, 3]);
    },
  },
  {
    what: "they become older ones, and recent again",
    async happen(scene) {
      await scene.askAll(6);
      scene.remembers(0, 1, 2, 3, 4, 5);
      await scene.askAll(6);
      scene.remembers(0, 1, 2, 3, 4, 5);
    },
  },
];

const ofInheritances = views.flatMap((view) =>
  ways.flatMap((way) =>
    inheritances.map(
      ({ what, happen }): SimulatorCase => ({
        name: `${view.name}, ${way}: recent flows of programs that treat the reverse map the other way; ${what}`,
        needs: view.needs,
        whyNotOnTheKernel: "whether a recent flow has an entry of its own is only to be seen in the socket's storage",
        async play(stage) {
          const scene = new Scene(stage, view, view.schemes[0], way);
          stage.build(otherWay(stage.options));
          await scene.open();
          scene.serveAll(6);
          await scene.askAll(4);
          scene.remembers(...FLOWS);
          assert.is(stage.reverseEntries().length, stage.options.recentInReverseMap ? 0 : 4);
          stage.build(stage.options);
          await happen(scene);
        },
      }),
    ),
  ),
);

/** Without room for one of the three elements that an older flow takes. */
const ofOlderFlows = views.flatMap((view) =>
  ways.flatMap((way) =>
    [true, false].flatMap((inherited) =>
      (["flowNumbers", "flowNames", "reverseSk"] as const).map((full): SimulatorCase => {
        const names = [maps4[full].name, maps6[full].name];
        return {
          name:
            `${view.name}, ${way}: no room in ${names[0]} for a flow that becomes an older one: the call is refused ` +
            `and counted${inherited ? ", be the flows of programs that treat the reverse map the other way" : ""}`,
          needs: view.needs,
          whyNotOnTheKernel: "memory would have to run out",
          helpers: () => ({
            bpf_map_update_elem: (call, world) =>
              names.some((name) => call.pointer(1).region.name === `map ${name}`)
                ? -ENOMEM
                : builtInHelpers.bpf_map_update_elem!(call, world),
          }),
          async play(stage) {
            const scene = new Scene(stage, view, view.schemes[0], way);
            if (inherited) stage.build(otherWay(stage.options));
            await scene.open();
            scene.serveAll(5);
            for (const i of FLOWS) await scene.askFor(i);
            stage.build(stage.options);
            for (let round = 0; round < 5; round++)
              assert.is(await errnoOf(ask(scene.socket, way, scene.asked(4))), notRemembered(stage));
            await scene.askAll(4);
            const { address } = scene.scheme.service(4);
            if (stage.options.metrics) stage.checkCounters(address, 5, { notRemembered: 5 });
          },
        };
      }),
    ),
  ),
);

/** Hosts of backends that differ in the lower half of their address or, of IPv6, in the upper. */
const hosts4 = { hosts: ["30.0.0.1", "30.0.0.2", "30.1.0.1"], maps: maps4 };
const hosts6 = { hosts: ["fd00:30::1", "fd00:30::2", "fd00:31::1"], maps: maps6 };

/** More backends than a socket can name. */
const ofManyFlows = views.flatMap((view) =>
  ways.map(
    (way): SimulatorCase => ({
      name: `${view.name}, ${way}: more backends than a socket can name: the first ones give way, and are counted`,
      needs: view.needs,
      whyNotOnTheKernel: "which names are taken is to be seen in the maps alone",
      async play(stage) {
        const scene = new Scene(stage, view, view.schemes[0], way);
        await scene.open();
        const { hosts, maps } = view.name === "IPv6" ? hosts6 : hosts4;
        const turnTo = async (asked: Endpoint) =>
          way === "connect" ? scene.socket.connect(asked) : scene.socket.send("hello", asked);
        const backend = (i: number) => ({ address: hosts[i % 3]!, port: 1000 + Math.floor(i / 3) });
        const ask = async (...numbers: readonly number[]): Promise<void> => {
          for (const i of numbers) {
            stage.services.set(scene.scheme.service(i), "udp", [endpointText(backend(i))], { revNatIndex: i + 1 });
            await turnTo(scene.asked(i));
          }
        };
        const from = (first: number, count: number) => Array.from({ length: count }, (_, i) => first + i);
        const names = stage.open(maps.flowNames);
        const numbers = stage.open(maps.flowNumbers);
        const reverse = stage.open(maps.reverseSk);
        const { cookie } = scene.socket;
        const isThere = (i: number) => reverse.get({ cookie, ...backend(i) }) !== undefined;
        const all = RECENT_FLOWS + OLDER_FLOWS;
        await ask(...from(0, all));
        assert.ok(from(0, all).every((i) => isThere(i) || (i >= OLDER_FLOWS && !stage.options.recentInReverseMap)));
        assert.equal(names.get({ cookie, number: 0 }), backend(0));
        // Each takes the name of the one before, which is a recent flow by then; the first one's flow is none.
        await ask(1, 2, 3, 4, 5, all);
        assert.equal(
          from(0, 6).map(isThere),
          from(0, 6).map((i) => i > 0),
        );
        const { address } = scene.scheme.service(0);
        if (stage.options.metrics) stage.checkCounters(address, 1, { translated: 1, olderFlowsDropped: 1 });
        // One is forgotten, one has no name any more: nothing is lost when their numbers are taken.
        await turnTo(view.asked(backend(7)));
        names.delete({ cookie, number: 8 });
        for (const map of [numbers, reverse]) map.delete({ cookie, ...backend(8) });
        await ask(...from(all + 1, 16));
        if (stage.options.metrics) for (const i of [7, 8]) stage.checkCounters(address, i + 1, { translated: 1 });
        assert.is([...names.keys()].length, OLDER_FLOWS);
        names.delete({ cookie, number: 100 });
        for (const map of [numbers, reverse]) map.delete({ cookie, ...backend(100) });
        await scene.socket.close();
        assert.equal([...stage.open(maps.flowNames).keys(), ...stage.open(maps.flowNumbers).keys()], []);
      },
    }),
  ),
);

/** What the kernel refuses after the program let it through. */
const ofFailedConnects = views.flatMap((view) =>
  view.schemes.map(
    (scheme): SimulatorCase => ({
      name: `${view.name}, told apart ${scheme.name}: connect(2) fails after the program: answers stay the service's`,
      needs: view.needs,
      whyNotOnTheKernel: "it takes a route that is not there, which depends on the machine",
      async play(stage) {
        const scene = new Scene(stage, view, scheme, "connect");
        await scene.open();
        scene.serveAll(3);
        await scene.askFor(0);
        // The answer comes after the socket is connected to another service.
        await scene.socket.send("hello");
        await scene.socket.connect(scene.asked(1));
        assert.equal(await scene.socket.receive(), { text: scene.scheme.backend(0), ...scene.asked(0) });
        // The kernel asks about an address that connect(2) did not choose.
        const socket = scene.socket as SimulatedClientSocket;
        assert.equal(socket.translate("getpeername", view.family, scene.direct(0)), scene.direct(0));
        await scene.askFor(0);
        for (const elsewhere of [scene.asked(1), scene.direct(3)]) {
          socket.translate("connect", view.family, elsewhere);
          assert.equal(await scene.socket.exchange("hello"), { text: scene.scheme.backend(0), ...scene.asked(0) });
        }
      },
    }),
  ),
);

/** A peer that differs from the source of a datagram in the upper half of the address alone. */
const ofMappedSources: readonly SimulatorCase[] = [
  {
    name: "a datagram from a mapped address to a socket that is connected to an address that ends alike",
    needs: ["ipv6"],
    whyNotOnTheKernel: "the datagram would have to come before the socket is connected, and be taken later",
    async play(stage) {
      const scene = new Scene(stage, views[1], views[1].schemes[0], "connect");
      await scene.open();
      scene.serve(0);
      await scene.askFor(0);
      await scene.socket.send("hello");
      await scene.socket.connect({ ...scene.scheme.backendEndpoint(0), address: ENDS_AS_MAPPED });
      assert.equal(await scene.socket.receive(), { text: scene.scheme.backend(0), ...scene.asked(0) });
    },
  },
];

/** Does something to a map between the first and the second look that a program takes at it. */
function betweenLooks(map: string, change: (open: SimulatedStage["open"]) => void): HelperTable {
  let looks = 0;
  const look: WorldHelper = (call, world) => {
    if (call.pointer(1).region.name === `map ${map}` && ++looks === 2)
      change(((definition) => world.map(definition)) as SimulatedStage["open"]);
    return builtInHelpers.bpf_map_lookup_elem!(call, world);
  };
  return { bpf_map_lookup_elem: look };
}

export const simulatorCases: readonly SimulatorCase[] = [
  ...ofServices,
  ...ofReplies,
  ...ofInheritances,
  ...ofOlderFlows,
  ...ofManyFlows,
  ...ofFailedConnects,
  ...ofMappedSources,
];
