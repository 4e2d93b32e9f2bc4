/** The senders and peers that processes see. */
import * as assert from "uvu/assert";
import type { Endpoint } from "../endpoint.ts";
import { Scene, type Case } from "./case.ts";
import { views } from "./views.ts";

const FLOWS = [0, 1, 2, 3] as const;

/** Changes to a service before a datagram from its backend arrives. */
const changes = [
  { what: "nothing has changed", change: () => {}, stays: true },
  { what: "something has changed elsewhere", change: ({ stage }: Scene) => stage.services.announce(), stays: true },
  {
    what: "its service is gone",
    change: ({ stage, scheme }: Scene, i: number) => stage.services.remove(scheme.service(i), "udp"),
    stays: false,
  },
  {
    what: "its service has become another",
    change: (scene: Scene, i: number) => scene.serve(i, i, 21 + i),
    stays: false,
  },
] as const;

async function source({ socket }: Scene): Promise<Endpoint> {
  const { address, port } = await socket.receive();
  return { address, port };
}

/** Where the backend's address is met. */
const places = [
  {
    where: "the source of a datagram",
    prepare: ({ socket }: Scene, asked: Endpoint) => socket.send("hello", asked),
    seen: source,
    /** What is seen to be stale is forgotten. */
    forgets: true,
  },
  {
    where: "the source of a datagram to a connected socket",
    async prepare({ socket }: Scene, asked: Endpoint): Promise<void> {
      await socket.connect(asked);
      await socket.send("hello");
    },
    seen: source,
    forgets: false,
  },
  {
    where: "the peer",
    prepare: ({ socket }: Scene, asked: Endpoint) => socket.connect(asked),
    seen: ({ socket }: Scene) => socket.peer(),
    forgets: false,
  },
] as const;

const everywhere: readonly Case[] = views.flatMap((view) =>
  view.schemes.flatMap((scheme) =>
    places.flatMap(({ where, prepare, seen, forgets }) => {
      const play = (what: string, story: (scene: Scene) => Promise<void>): Case => ({
        name: `${view.name}, services by ${scheme.name}, ${where}: ${what}`,
        needs: view.needs,
        async play(stage) {
          const scene = new Scene(stage, view, scheme);
          await scene.open();
          scene.serveAll(6);
          await story(scene);
        },
      });
      return changes
        .flatMap(({ what, change, stays }) => [
          play(`of a recent flow, ${what}`, async (scene) => {
            for (const i of FLOWS) {
              scene.serveAll(4);
              await scene.open();
              await scene.askAll(4);
              await prepare(scene, scene.asked(i));
              change(scene, i);
              assert.equal(await seen(scene), stays ? scene.asked(i) : scene.direct(i));
              scene.holds(...FLOWS.filter((other) => stays || !forgets || other !== i));
            }
          }),
          play(`of an older flow, ${what}`, async (scene) => {
            await prepare(scene, scene.asked(0));
            for (const i of [1, 2, 3, 4]) await scene.socket.send("hello", scene.asked(i));
            change(scene, 0);
            assert.equal(await seen(scene), stays ? scene.asked(0) : scene.direct(0));
            scene.holds(...(stays || !forgets ? [0] : []), 1, 2, 3, 4);
          }),
        ])
        .concat([
          play("no flow", async (scene) => {
            await prepare(scene, scene.direct(5));
            assert.equal(await seen(scene), scene.direct(5));
            scene.holds();
          }),
          play("none of the recent flows", async (scene) => {
            await scene.askAll(4);
            await prepare(scene, scene.direct(5));
            assert.equal(await seen(scene), scene.direct(5));
            scene.holds(...FLOWS);
          }),
          play("none of the recent flows, nor of the older ones", async (scene) => {
            await scene.askAll(5);
            await prepare(scene, scene.direct(5));
            assert.equal(await seen(scene), scene.direct(5));
            scene.holds(0, 1, 2, 3, 4);
          }),
        ]);
    }),
  ),
);

export const replyCases: readonly Case[] = everywhere;
