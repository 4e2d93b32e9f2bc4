/** Sockets that talk to many services, and connected sockets that talk to others besides their peer. */
import * as assert from "uvu/assert";
import type { Endpoint } from "../endpoint.ts";
import { errnoOf } from "../socket-error.ts";
import { Scene, ways, type Case } from "./case.ts";
import { views } from "./views.ts";

const SHARED = 4;

/** Answers that are all taken after many more questions: each comes from the service that was asked. */
const late: readonly Case[] = views.flatMap((view) =>
  (
    [
      [6, 8],
      [7, 6],
      [12, 4],
      [40, 3],
    ] as const
  ).map(([services, rounds]) => ({
    name: `${view.name}: one socket, ${services} services, each asked ${rounds} times before the answers are taken`,
    needs: view.needs,
    async play(stage) {
      const scene = new Scene(stage, view, view.schemes[0]);
      const { scheme, socket } = await opened(scene, services);
      for (let round = 0; round < rounds; round++)
        for (let i = 0; i < services; i++) await socket.send("hello", scene.asked(i));
      const asked = new Map(Array.from({ length: services }, (_, i) => [scheme.backend(i), scene.asked(i)]));
      for (let i = 0; i < services * rounds; i++) {
        const { text, ...source } = await socket.receive();
        assert.equal(source, asked.get(text));
      }
      scene.holds(...Array.from({ length: services }, (_, i) => i));
    },
  })),
);

async function opened(scene: Scene, services: number): Promise<Scene> {
  await scene.open();
  scene.serveAll(services);
  return scene;
}

/** Every service that is asked stays remembered, however the socket asks. */
const many: readonly Case[] = views.flatMap((view) =>
  ways.map((way) => ({
    name: `${view.name}, ${way}: 40 services are all remembered`,
    needs: view.needs,
    async play(stage) {
      const scene = await opened(new Scene(stage, view, view.schemes[0], way), 40);
      await scene.askAll(40);
      scene.holds(...Array.from({ length: 40 }, (_, i) => i));
      await scene.askFor(10);
      await scene.askAll(12);
      scene.holds(...Array.from({ length: 40 }, (_, i) => i));
      // A service moves to another backend, one to the backend of an older flow.
      scene.serve(11, 45);
      await scene.askFor(11, 45);
      scene.serve(10, 20);
      await scene.askFor(10, 20);
      const others = Array.from({ length: 40 }, (_, i) => i).filter((i) => ![10, 11, 20].includes(i));
      scene.holds(...others, [11, 45], [10, 20]);
    },
  })),
);

/** A connected socket: its peer is what it connected to. */
const connected: readonly Case[] = views.flatMap((view) =>
  view.schemes.flatMap((scheme) => {
    const play = (what: string, story: (scene: Scene) => Promise<void>): Case => ({
      name: `${view.name}, told apart ${scheme.name}, connected: ${what}`,
      needs: view.needs,
      async play(stage) {
        const scene = await opened(new Scene(stage, view, scheme, "connect"), 4);
        scene.serve(SHARED, 0);
        await story(scene);
      },
    });
    /** The socket is connected to `peer`, which answers with backend 0. */
    const isConnected = async ({ socket }: Scene, peer: Endpoint) => {
      assert.equal(await socket.peer(), peer);
      assert.equal(await socket.exchange("hello"), { text: scheme.backend(0), ...peer });
      assert.equal(await socket.peer(), peer);
    };
    return [
      play("a datagram to the backend itself", async (scene) => {
        const { socket } = scene;
        await scene.askFor(0);
        for (let round = 0; round < 2; round++) {
          await socket.send("hello", scene.direct(0));
          // Nothing tells this answer from one to the service.
          assert.equal(await socket.receive(), { text: scheme.backend(0), ...scene.asked(0) });
          await isConnected(scene, scene.asked(0));
        }
      }),
      play("a datagram to another service with this backend", async (scene) => {
        const { socket } = scene;
        await scene.askFor(0);
        for (let round = 0; round < 2; round++) {
          await socket.send("hello", scene.asked(SHARED));
          assert.equal(await socket.receive(), { text: scheme.backend(0), ...scene.asked(0) });
          await isConnected(scene, scene.asked(0));
        }
      }),
      play("many datagrams to other services", async (scene) => {
        scene.serve(5);
        await scene.askFor(0);
        for (let round = 0; round < 3; round++)
          for (const i of [1, 2, 3, 5]) await scene.socket.send("hello", scene.asked(i));
        await isConnected(scene, scene.asked(0));
      }),
      play("to a backend itself, without having asked for a service", async (scene) => {
        await scene.askDirectly(0);
        for (const i of [0, SHARED]) {
          await scene.socket.send("hello", scene.asked(i));
          assert.equal(await scene.socket.receive(), { text: scheme.backend(0), ...scene.direct(0) });
          await isConnected(scene, scene.direct(0));
        }
      }),
      play("to a service, then to its backend itself", async (scene) => {
        await scene.askFor(0);
        await scene.askDirectly(0);
        await scene.socket.send("hello", scene.asked(SHARED));
        assert.equal(await scene.socket.receive(), { text: scheme.backend(0), ...scene.direct(0) });
        await isConnected(scene, scene.direct(0));
        await scene.askFor(0);
        await isConnected(scene, scene.asked(0));
      }),
      play("to a service, dissolved, then to its backend itself", async (scene) => {
        await scene.askFor(0);
        await scene.socket.dissolve();
        assert.is(await errnoOf(scene.socket.peer()), "ENOTCONN");
        await scene.askDirectly(0);
        await isConnected(scene, scene.direct(0));
      }),
      play("to a service, and dissolved before the answer is taken", async (scene) => {
        await scene.askFor(0);
        await scene.socket.send("hello");
        // The kernel drops what comes later: a dissolved socket has no port.
        await scene.socket.readable();
        await scene.socket.dissolve();
        assert.equal(await scene.socket.receive(), { text: scheme.backend(0), ...scene.asked(0) });
      }),
      play("its service is gone; a flow of another service with its backend stays", async (scene) => {
        scene.serve(5);
        await scene.askFor(0);
        await scene.socket.send("hello", scene.asked(SHARED));
        await scene.socket.receive();
        scene.holds([SHARED, 0]);
        scene.stage.services.remove(scheme.service(0), "udp");
        assert.equal(await scene.socket.peer(), scene.direct(0));
        scene.holds([SHARED, 0]);
        await isConnected(scene, scene.direct(0));
      }),
      play("its service is gone; an older flow of another service with its backend stays", async (scene) => {
        scene.serve(5);
        await scene.askFor(0);
        for (const i of [SHARED, 1, 2, 3, 5]) await scene.socket.send("hello", scene.asked(i));
        scene.stage.services.remove(scheme.service(0), "udp");
        assert.equal(await scene.socket.peer(), scene.direct(0));
        scene.holds([SHARED, 0], 1, 2, 3, 5);
      }),
    ];
  }),
);

export const flowCases: readonly Case[] = [...late, ...many, ...connected];
