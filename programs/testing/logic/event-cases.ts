/** Events of a socket that goes to a service's backend, and of one that sees the service in place of the backend. */
import * as assert from "uvu/assert";
import { EventKind, optOutNamespaces } from "../../index.ts";
import type { Party } from "../data-path.ts";
import type { Endpoint } from "../endpoint.ts";
import { errnoOf } from "../socket-error.ts";
import type { ServiceProtocol } from "../service-table.ts";
import { refusal, type Case } from "./case.ts";
import type { ExpectedEvent, Stage, StageSocket } from "./stage.ts";
import { views } from "./views.ts";

const INDEX = 9;
const PROTOCOL = { tcp: 6, udp: 17, udplite: 136 } as const;
/** More services than a socket keeps flows whole. */
const MANY = 6;

export const eventCases: readonly Case[] = views.flatMap((view) =>
  view.schemes.flatMap((scheme) => {
    const [service, backend] = [scheme.service(0), scheme.backendEndpoint(0)];
    const asked = view.asked(service);
    const play = (what: string, story: (stage: Stage) => Promise<void>): Case => ({
      name: `${view.name}, services by ${scheme.name}, events: ${what}`,
      needs: [...view.needs, "events"],
      async play(stage) {
        stage.checkEvents();
        await story(stage);
      },
    });
    /** Events of a socket that goes to a service's backend, and of one that sees the service in place of it. */
    const about = (stage: Stage, { cookie }: StageSocket, protocol: ServiceProtocol, party: Party = "host") => {
      const { netnsCookie, cgroupIds } = stage.identity(party);
      const common = { cookie, netnsCookie, cgroupId: cgroupIds.at(-1)!, protocol: PROTOCOL[protocol] };
      const pair = (
        pre: EventKind,
        post: EventKind,
        original: Endpoint,
        translated: Endpoint,
        revNatIndex: number,
      ): ExpectedEvent[] => [
        { ...common, kind: pre, original, translated: undefined, revNatIndex },
        { ...common, kind: post, original, translated, revNatIndex },
      ];
      return {
        forward: (i = 0, revNatIndex = INDEX) =>
          pair(
            EventKind.PRE_FORWARD,
            EventKind.POST_FORWARD,
            scheme.service(i),
            scheme.backendEndpoint(i),
            revNatIndex,
          ),
        reverse: (i = 0, revNatIndex = INDEX) =>
          pair(
            EventKind.PRE_REVERSE,
            EventKind.POST_REVERSE,
            scheme.backendEndpoint(i),
            scheme.service(i),
            revNatIndex,
          ),
      };
    };
    return [
      play("a datagram and its answer, the first time and again, and after a change of services", async (stage) => {
        stage.services.set(service, "udp", [scheme.backend(0)], { revNatIndex: INDEX });
        const socket = await stage.socket("udp", view.family);
        const { forward, reverse } = about(stage, socket, "udp");
        for (const announce of [false, false, true]) {
          if (announce) stage.services.announce();
          await socket.exchange("hello", asked);
          stage.checkEvents(...forward(), ...reverse());
        }
      }),
      play("a connected socket, and its peer", async (stage) => {
        stage.services.set(service, "udp", [scheme.backend(0)], { revNatIndex: INDEX });
        const socket = await stage.socket("udp", view.family);
        const { forward, reverse } = about(stage, socket, "udp");
        await socket.connect(asked);
        stage.checkEvents(...forward());
        assert.equal(await socket.peer(), asked);
        stage.checkEvents(...reverse());
      }),
      play("a stream", async (stage) => {
        stage.services.set(service, "tcp", [scheme.backend(0)], { revNatIndex: INDEX });
        const socket = await stage.socket("tcp", view.family);
        await socket.connect(asked);
        stage.checkEvents(...about(stage, socket, "tcp").forward());
      }),
      play("a process of a container", async (stage) => {
        stage.services.set(service, "tcp", [scheme.backend(0)], { revNatIndex: INDEX });
        const socket = await stage.socket("tcp", view.family, "container");
        await socket.connect(asked);
        stage.checkEvents(...about(stage, socket, "tcp", "container").forward());
      }),
      play("many services, whose answers come when the socket has turned to others", async (stage) => {
        const numbers = Array.from({ length: MANY }, (_, i) => i);
        for (const i of numbers)
          stage.services.set(scheme.service(i), "udp", [scheme.backend(i)], { revNatIndex: INDEX + i });
        const socket = await stage.socket("udp", view.family);
        const { forward, reverse } = about(stage, socket, "udp");
        for (const i of numbers) await socket.send("hello", view.asked(scheme.service(i)));
        stage.checkEvents(...numbers.flatMap((i) => forward(i, INDEX + i)));
        for (const i of numbers) {
          await socket.receive();
          stage.checkEvents(...reverse(i, INDEX + i));
        }
      }),
      play("a refused call is one event", async (stage) => {
        stage.services.set(service, "tcp", [], { revNatIndex: INDEX });
        const socket = await stage.socket("tcp", view.family);
        assert.is(await errnoOf(socket.connect(asked)), refusal(stage, "streams"));
        stage.checkEvents(about(stage, socket, "tcp").forward()[0]!);
      }),
      play("a reply of a removed service is one event", async (stage) => {
        stage.services.set(service, "udp", [scheme.backend(0)], { revNatIndex: INDEX });
        const socket = await stage.socket("udp", view.family);
        await socket.send("hello", asked);
        const { forward, reverse } = about(stage, socket, "udp");
        stage.checkEvents(...forward());
        stage.services.remove(service, "udp");
        await socket.receive();
        stage.checkEvents(reverse()[0]!);
      }),
      play("neither non-services nor exempt sockets make events", async (stage) => {
        const direct = await stage.socket("udp", view.family);
        await direct.exchange("hello", view.asked(backend));
        stage.services.set(backend, "udp", [scheme.backend(1)], { revNatIndex: INDEX });
        stage.open(optOutNamespaces).set(stage.identity("host").netnsCookie, 1);
        const socket = await stage.socket("udp", view.family);
        await socket.exchange("hello", view.asked(backend));
        stage.checkEvents();
      }),
    ];
  }),
);
