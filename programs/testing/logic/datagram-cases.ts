/** Where datagrams go, and what of it is remembered. */
import * as assert from "uvu/assert";
import { errnoOf } from "../socket-error.ts";
import { mapsFor, serviceKey } from "../service-table.ts";
import { ask, refusal, Scene, ways, type Case } from "./case.ts";
import { views } from "./views.ts";

const FLOWS = [0, 1, 2, 3] as const;

const everywhere: readonly Case[] = views.flatMap((view) =>
  view.schemes.flatMap((scheme) =>
    ways.flatMap((way) => {
      const name = (what: string) => `${view.name}, services by ${scheme.name}, ${way}: ${what}`;
      const play = (what: string, story: (scene: Scene) => Promise<void>): Case => ({
        name: name(what),
        needs: view.needs,
        async play(stage) {
          const scene = new Scene(stage, view, scheme, way);
          await scene.open();
          await story(scene);
        },
      });
      return [
        play("four services, each asked again and again", async (scene) => {
          scene.serveAll(4);
          for (let round = 0; round < 3; round++) await scene.askAll(4);
          scene.holds(...FLOWS);
        }),
        play("something changes elsewhere: sockets stay with their backends", async (scene) => {
          scene.serveAll(4);
          await scene.askAll(4);
          scene.stage.services.announce();
          await scene.askAll(4);
          scene.holds(...FLOWS);
        }),
        play("a service's backend changes, and changes back", async (scene) => {
          scene.serveAll(4);
          await scene.askAll(4);
          for (const i of FLOWS) {
            const others = FLOWS.filter((other) => other !== i);
            scene.serve(i, 4);
            await scene.askFor(i, 4);
            scene.holds(...others, [i, 4]);
            scene.serve(i);
            await scene.askFor(i);
            scene.holds(...FLOWS);
          }
        }),
        play("a service becomes another one with the same backend", async (scene) => {
          scene.serveAll(4);
          await scene.askAll(4);
          for (const i of FLOWS) {
            scene.serve(i, i, 11 + i);
            await scene.askFor(i);
          }
          scene.holds(...FLOWS.map((i) => [i, i, 11 + i] as const));
        }),
        play("another service has the same backend: the one that was asked last is shown", async (scene) => {
          scene.serveAll(4);
          for (const i of FLOWS) {
            await scene.open();
            await scene.askAll(4);
            scene.serve(4, i);
            await scene.askFor(4, i);
            scene.holds(...FLOWS.filter((other) => other !== i), [4, i]);
          }
        }),
        play("a service comes to have the backend of another: each is shown when it is asked", async (scene) => {
          for (const other of FLOWS) {
            for (const moved of FLOWS.filter((each) => each !== other)) {
              scene.serveAll(4);
              await scene.open();
              await scene.askAll(4);
              scene.serve(moved, other);
              for (const i of [moved, other, moved, other]) {
                await scene.askFor(i, other);
                await scene.askFor(i, other);
              }
            }
          }
        }),
        play(
          "six services in turn: the two used longest ago are left to the reverse map, and come back",
          async (scene) => {
            scene.serveAll(6);
            for (let round = 0; round < 3; round++) {
              await scene.askAll(6);
              scene.holds(0, 1, 2, 3, 4, 5);
            }
          },
        ),
        play("no service: it stays as it is, whatever the socket knows", async (scene) => {
          await scene.askDirectly(4);
          scene.serveAll(4);
          await scene.askAll(4);
          await scene.askDirectly(4);
          scene.holds(...FLOWS);
          scene.serve(4);
          await scene.askFor(4);
          await scene.askDirectly(5);
          scene.holds(...FLOWS, 4);
        }),
        play(
          "no service, but beside one in the filter: it stays as it is, whatever the socket knows",
          async (scene) => {
            for (const i of [0, 4])
              scene.stage.services.set(scheme.besideBackend(i), "udp", [scheme.backend(5)], { revNatIndex: 20 + i });
            await scene.askDirectly(4);
            scene.serveAll(4);
            await scene.askAll(4);
            await scene.askDirectly(4);
            scene.holds(...FLOWS);
            await scene.askDirectly(0);
            scene.holds(1, 2, 3);
          },
        ),
        play(
          "a service's backend is asked directly: what it answers is its own, until the service is asked again",
          async (scene) => {
            scene.serveAll(4);
            await scene.askAll(4);
            for (const i of FLOWS) {
              await scene.askDirectly(i);
              scene.holds(...FLOWS.filter((other) => other > i));
            }
            await scene.askAll(4);
            scene.holds(...FLOWS);
          },
        ),
        play("the backend of an older flow is asked directly", async (scene) => {
          scene.serveAll(5);
          await scene.askAll(5);
          await scene.askDirectly(0);
          scene.holds(1, 2, 3, 4);
        }),
        play("a service without backends refuses", async (scene) => {
          scene.stage.services.set(scheme.service(0), "udp", []);
          assert.is(await errnoOf(ask(scene.socket, way, scene.asked(0))), refusal(scene.stage, "datagrams"));
          scene.serve(1);
          await scene.askFor(1);
          assert.is(await errnoOf(ask(scene.socket, way, scene.asked(0))), refusal(scene.stage, "datagrams"));
          scene.holds(1);
        }),
        play("a service whose slots are not there refuses", async (scene) => {
          scene.serve(0);
          const services = scene.stage.open(mapsFor(scheme.service(0).address).services);
          const key = serviceKey(scheme.service(0), "udp");
          services.set(key, { ...services.get(key)!, range: { base: 0x7fff_ffff, count: 1 } });
          assert.is(await errnoOf(ask(scene.socket, way, scene.asked(0))), refusal(scene.stage, "datagrams"));
          scene.holds();
        }),
        play("an element that says it is another service's is not believed", async (scene) => {
          scene.serve(0);
          const services = scene.stage.open(mapsFor(scheme.service(0).address).services);
          const key = serviceKey(scheme.service(0), "udp");
          services.set(key, { ...services.get(key)!, key: serviceKey(scheme.service(1), "udp") });
          assert.is(await errnoOf(ask(scene.socket, way, scene.asked(0))), refusal(scene.stage, "datagrams"));
          scene.holds();
        }),
      ];
    }),
  ),
);

export const datagramCases: readonly Case[] = everywhere;
