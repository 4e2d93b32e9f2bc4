/** Cases that real sockets cannot cause or show. */
import * as assert from "uvu/assert";
import { builtInHelpers, type HelperTable, type WorldHelper } from "tsbpf/sim";
import { connected, maps4, maps6, ServiceFlag, type DataPathOptions } from "../../index.ts";
import { errnoOf } from "../socket-error.ts";
import { mapsFor, serviceKey } from "../service-table.ts";
import { Scene, ways, type SimulatorCase } from "./case.ts";
import type { SimulatedClientSocket, SimulatedStage } from "./simulated-stage.ts";
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
        name: name("out of memory for the socket's flow: it goes to the backend, and leaves nothing"),
        needs: view.needs,
        whyNotOnTheKernel: "memory would have to run out",
        helpers: () => ({ bpf_sk_storage_get: () => undefined }),
        async play(stage) {
          stage.services.set(service, protocol, [scheme.backend(0)], { flags: ServiceFlag.CLOSE_SOCKETS });
          assert.is(await destination(stage), scheme.backend(0));
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
      ...(protocol === "udp" && way === "connect"
        ? [
            {
              name: name("no memory for the backend's name when a socket comes back to it: it goes there all the same"),
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
                for (let i = 0; i < 2; i++) assert.is(await destination(stage, socket), scheme.backend(0));
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
        else await scene.socket.send("hello", scene.asked(i));
        scene.stage.services.remove(scene.scheme.service(i), "udp");
        await (scene.way === "connect" ? scene.socket.peer() : scene.socket.receive());
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

/** With and without memory for the names of older flows. */
const ofOlderFlows = views.flatMap((view) =>
  ways.flatMap((way) =>
    [true, false].map(
      (inherited): SimulatorCase => ({
        name:
          `${view.name}, ${way}: out of memory for older flows: they are dropped, ` +
          `and leave nothing${inherited ? ", even flows of programs with the other treatment" : ""}`,
        needs: view.needs,
        whyNotOnTheKernel: "memory would have to run out",
        helpers: () => ({
          bpf_sk_storage_get: (call, world) =>
            [maps4, maps6].some(({ olderFlows }) => call.pointer(1).region.name === `map ${olderFlows.name}`)
              ? undefined
              : builtInHelpers.bpf_sk_storage_get!(call, world),
        }),
        async play(stage) {
          const scene = new Scene(stage, view, view.schemes[0], way);
          if (inherited) stage.build(otherWay(stage.options));
          await scene.open();
          scene.serveAll(6);
          await scene.askAll(4);
          stage.build(stage.options);
          await scene.askFor(4);
          scene.remembers(1, 2, 3, 4);
          await scene.askFor(5);
          scene.remembers(2, 3, 4, 5);
        },
      }),
    ),
  ),
);

/** Of a flow that becomes an older one. */
const ofUnenteredFlows = views.flatMap((view) =>
  ways.map(
    (way): SimulatorCase => ({
      name: `${view.name}, ${way}: no room for the reverse entry of a flow that becomes an older one: it is counted`,
      needs: [...view.needs, "metrics", "recentInReverseMap"],
      whyNotOnTheKernel: "an LRU map makes room",
      helpers: () => ({ bpf_map_update_elem: () => -ENOMEM }),
      async play(stage) {
        const scene = new Scene(stage, view, view.schemes[0], way);
        stage.build(otherWay(stage.options));
        await scene.open();
        scene.serveAll(5);
        await scene.askAll(4);
        stage.build(stage.options);
        const seen = { translated: 1, replies: way === "connect" ? 2 : 1 };
        stage.checkCounters(scene.scheme.service(0).address, 1, seen);
        await scene.askFor(4);
        for (const index of [1, 5])
          stage.checkCounters(scene.scheme.service(0).address, index, { ...seen, reverseUpdateFailed: 1 });
      },
    }),
  ),
);

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
  ...ofUnenteredFlows,
];
