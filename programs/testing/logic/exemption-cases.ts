/** Sockets that ask for a service's address and are left alone all the same. */
import * as assert from "uvu/assert";
import { defaultOptions, optOutCgroups, optOutNamespaces, ServiceFlag } from "../../index.ts";
import type { Party } from "../data-path.ts";
import { mapsFor } from "../service-table.ts";
import { Scene, ways, type Case, type SimulatorCase } from "./case.ts";
import type { Stage, StageSocket } from "./stage.ts";
import { views } from "./views.ts";

const GET = "GET / HTTP/1.1\r\nHost: test\r\n\r\n";
/** Each protocol, with whether sockets connect. */
const uses = [
  ["tcp", true],
  ["udp", true],
  ["udp", false],
] as const;
const FLOWS = [0, 1, 2, 3] as const;

/** Something that stands for a service whose address is a backend's too: who is left alone gets there. */
interface Hidden {
  readonly stage: Stage;
  /** Gives the service its flags. */
  set(flags?: number): void;
  /** Sends from a new socket or an existing one: does the service's backend answer, or its own address? */
  ask(party: Party, socket?: StageSocket): Promise<"service" | "itself">;
  open(party: Party): Promise<StageSocket>;
}

function optOut(stage: Stage, party: Party): void {
  stage.open(optOutNamespaces).set(stage.identity(party).netnsCookie, 1);
  stage.services.announce();
}

/** Makes the address of backend `i` that of a service, with another backend. */
function hide({ stage, scheme }: Scene, i: number): void {
  stage.services.set(scheme.backendEndpoint(i), "udp", [scheme.backend(5)], { revNatIndex: 50 + i });
}

/** The flows of a socket that calls a service but is exempt change as with any address that is not a service. */
const flowCases: readonly (readonly [what: string, play: (scene: Scene, leaveAlone: () => void) => Promise<void>])[] = [
  [
    "a service's backend is asked at its own address, which is a service's too",
    async (scene, leaveAlone) => {
      scene.serveAll(4);
      await scene.askAll(4);
      for (const i of FLOWS) hide(scene, i);
      leaveAlone();
      for (const i of FLOWS) {
        await scene.askDirectly(i);
        scene.holds(...FLOWS.filter((other) => other > i));
      }
    },
  ],
  [
    "no flow with the address",
    async (scene, leaveAlone) => {
      scene.serveAll(4);
      await scene.askAll(4);
      hide(scene, 4);
      leaveAlone();
      await scene.askDirectly(4);
      scene.holds(...FLOWS);
    },
  ],
  [
    "the backend of an older flow is asked",
    async (scene, leaveAlone) => {
      scene.serveAll(5);
      await scene.askAll(5);
      hide(scene, 0);
      leaveAlone();
      await scene.askDirectly(0);
      scene.holds(1, 2, 3, 4);
    },
  ],
];

export const leftAloneCases: readonly Case[] = [
  ...views.flatMap((view) =>
    uses.flatMap(([protocol, connects]) => {
      const [scheme] = view.schemes;
      const service = scheme.backendEndpoint(0);
      const asked = view.asked(service);
      const play = (what: string, needs: Case["needs"], story: (hidden: Hidden) => Promise<void>): Case => ({
        name: `${view.name}, left alone, ${protocol}${connects ? "" : " unconnected"}: ${what}`,
        needs: [...view.needs, ...needs!],
        async play(stage) {
          const open = (party: Party) => stage.socket(protocol, view.family, party);
          await story({
            stage,
            open,
            set: (flags = 0) => stage.services.set(service, protocol, [scheme.backend(1)], { flags }),
            async ask(party, socket) {
              const client = socket ?? (await open(party));
              if (connects) await client.connect(asked);
              const { text, ...source } = await client.exchange(
                protocol === "tcp" ? GET : "hello",
                connects ? undefined : asked,
              );
              if (protocol === "udp") assert.equal(source, asked);
              if (socket === undefined) await client.close();
              else if (connects) await client.dissolve();
              return text === scheme.backend(1) ? "service" : (assert.is(text, scheme.backend(0)), "itself");
            },
          });
        },
      });
      const cookie = ({ stage }: Hidden, party: Party) => stage.identity(party).netnsCookie;
      return [
        play("a service of the host's network namespace is only there", ["hostNamespaceServices"], async (hidden) => {
          const before = await hidden.open("container");
          for (const [flags, outcome] of [
            [0, "service"],
            [ServiceFlag.HOST_NAMESPACE, "itself"],
            [0, "service"],
          ] as const) {
            hidden.set(flags);
            assert.is(await hidden.ask("host"), "service");
            assert.is(await hidden.ask("container"), outcome);
            assert.is(await hidden.ask("container", before), outcome, "a socket that was there before");
          }
        }),
        play("only the host's network namespace is balanced", ["hostNamespaceOnly"], async (hidden) => {
          hidden.set();
          assert.is(await hidden.ask("host"), "service");
          assert.is(await hidden.ask("container"), "itself");
        }),
        play("a network namespace opts out, and back in", ["optOutNamespaces"], async (hidden) => {
          const { stage } = hidden;
          hidden.set();
          for (const [party, other] of [
            ["host", "container"],
            ["container", "host"],
          ] as const) {
            const before = await hidden.open(party);
            assert.is(await hidden.ask(party, before), "service");
            stage.open(optOutNamespaces).set(cookie(hidden, party), 1);
            stage.services.announce();
            assert.is(await hidden.ask(party), "itself");
            assert.is(await hidden.ask(party, before), "itself", "a socket that was balanced before");
            assert.is(await hidden.ask(other), "service");
            stage.open(optOutNamespaces).delete(cookie(hidden, party));
            stage.services.announce();
            assert.is(await hidden.ask(party), "service");
            assert.is(await hidden.ask(party, before), "service", "a socket that was balanced before");
            await before.close();
          }
        }),
        play("a cgroup opts out, with those below it, and back in", ["optOutCgroupLevels"], async (hidden) => {
          const { stage } = hidden;
          const { cgroupIds } = stage.identity("container");
          hidden.set();
          const before = await hidden.open("container");
          assert.is(await hidden.ask("container", before), "service");
          // The process's cgroup and its parent; the programs do not ask for the one that also holds the host's
          // processes.
          for (const [level, outcome] of [
            [3, "itself"],
            [2, "itself"],
            [1, "service"],
          ] as const) {
            stage.open(optOutCgroups).set(cgroupIds[level]!, 1);
            stage.services.announce();
            assert.is(await hidden.ask("container"), outcome);
            assert.is(await hidden.ask("container", before), outcome, "a socket that was balanced before");
            assert.is(await hidden.ask("host"), "service");
            stage.open(optOutCgroups).delete(cgroupIds[level]!);
            stage.services.announce();
            assert.is(await hidden.ask("container"), "service");
          }
        }),
        play("a backend that asks for its own service", ["skipSelf"], async (hidden) => {
          const { stage } = hidden;
          const { skip } = mapsFor(service.address);
          const [netnsCookie, other] = [cookie(hidden, "container"), cookie(hidden, "host")];
          hidden.set(ServiceFlag.SKIP_SELF);
          stage.open(skip).set({ netnsCookie, ...service }, 1);
          assert.is(await hidden.ask("container"), "itself");
          assert.is(await hidden.ask("host"), "service");
          hidden.set();
          assert.is(await hidden.ask("container"), "service");
          hidden.set(ServiceFlag.SKIP_SELF);
          stage.open(skip).delete({ netnsCookie, ...service });
          // Of another namespace, of another service.
          stage.open(skip).set({ netnsCookie: other, ...service }, 1);
          stage.open(skip).set({ netnsCookie, ...service, port: service.port + 1 }, 1);
          stage.open(skip).set({ netnsCookie, ...scheme.service(0) }, 1);
          assert.is(await hidden.ask("container"), "service");
          assert.is(await hidden.ask("host"), "itself");
        }),
      ];
    }),
  ),
  ...views.flatMap((view) =>
    view.schemes.flatMap((scheme) =>
      ways.flatMap((way) => {
        const play = (what: string, story: (scene: Scene) => Promise<void>): Case => ({
          name: `${view.name}, services by ${scheme.name}, ${way}, left alone: ${what}`,
          needs: [...view.needs, "optOutNamespaces"],
          async play(stage) {
            const scene = new Scene(stage, view, scheme, way);
            await scene.open();
            await story(scene);
          },
        });
        return flowCases.map(([what, story]) => play(what, (scene) => story(scene, () => optOut(scene.stage, "host"))));
      }),
    ),
  ),
  {
    name:
      "IPv4 mapped, left alone: an IPv6 socket that is connected to a mapped service sends to its peer, " +
      "which is a service too, and to others",
    needs: ["ipv6", "optOutNamespaces"],
    async play(stage) {
      for (const scheme of views[1].schemes) {
        const scene = new Scene(stage, views[1], scheme, "connect");
        await scene.open();
        scene.serveAll(2);
        await scene.askFor(1);
        await scene.askFor(0);
        for (const i of [0, 1]) hide(scene, i);
        optOut(stage, "host");
        assert.equal(await scene.socket.exchange("hello"), { text: scheme.backend(0), ...scene.asked(0) });
        scene.holds(0, 1);
        // The kernel drops the answer: this socket hears its peer alone.
        await scene.socket.send("hello", scene.direct(1));
        scene.holds(0);
        await scene.socket.dissolve();
        await scene.socket.send("hello", scene.direct(0));
        scene.holds();
        await scene.socket.close();
        for (const i of [0, 1]) stage.services.remove(scheme.backendEndpoint(i), "udp");
        stage.services.remove(scheme.service(0), "udp");
        stage.open(optOutNamespaces).delete(stage.identity("host").netnsCookie);
      }
    },
  },
  ...views.map(
    (view): Case => ({
      name: `${view.name}, left alone: what was sent before the opt-out is answered as by the service`,
      needs: [...view.needs, "optOutNamespaces"],
      async play(stage) {
        const scene = new Scene(stage, view, view.schemes[0]);
        await scene.open();
        scene.serve(0);
        await scene.socket.send("hello", scene.asked(0));
        optOut(stage, "host");
        assert.equal(await scene.socket.receive(), { text: scene.scheme.backend(0), ...scene.asked(0) });
        scene.holds(0);
      },
    }),
  ),
];

const balancingEverybody = { ...defaultOptions, ipv6: true };

/** The same for sockets whose flows come from programs built with other options. */
export const leftAloneSimulatorCases: readonly SimulatorCase[] = views.flatMap((view) =>
  view.schemes.flatMap((scheme) =>
    ways.flatMap((way) =>
      flowCases.map(
        ([what, story]): SimulatorCase => ({
          name: `${view.name}, services by ${scheme.name}, ${way}, left alone now, not by the programs before: ${what}`,
          needs: [...view.needs, "hostNamespaceOnly"],
          whyNotOnTheKernel: "other programs would have to be loaded on the way",
          async play(stage) {
            const scene = new Scene(stage, view, scheme, way, "container");
            await scene.open();
            stage.build(balancingEverybody);
            await story(scene, () => stage.build(stage.options));
          },
        }),
      ),
    ),
  ),
);
