/** Services whose clients keep their backend. */
import * as assert from "uvu/assert";
import { mapsFor, type ServiceProtocol } from "../service-table.ts";
import type { Case } from "./case.ts";
import type { Stage } from "./stage.ts";
import { views } from "./views.ts";

const GET = "GET / HTTP/1.1\r\nHost: test\r\n\r\n";
/** Each protocol, with whether sockets connect. */
const uses = [
  ["tcp", true],
  ["udp", true],
  ["udp", false],
] as const;
const TIMEOUT = 1;
const INDEX = 7;

export const affinityCases: readonly Case[] = views.flatMap((view) =>
  uses.flatMap(([protocol, connects]) => {
    const [scheme] = view.schemes;
    const [first, second] = [scheme.backend(0), scheme.backend(1)];
    const set = (stage: Stage, backends: readonly string[], affinityTimeout = TIMEOUT) =>
      stage.services.set(scheme.service(0), protocol satisfies ServiceProtocol, backends, {
        revNatIndex: INDEX,
        affinityTimeout,
      });
    /** The backend that a new socket comes to. */
    const visit = async (stage: Stage) => {
      const socket = await stage.socket(protocol, view.family);
      const asked = view.asked(scheme.service(0));
      if (connects) await socket.connect(asked);
      const { text } = await socket.exchange(protocol === "tcp" ? GET : "hello", connects ? undefined : asked);
      await socket.close();
      return text;
    };
    const play = (what: string, story: (stage: Stage) => Promise<void>): Case => ({
      name: `${view.name}, affinity, ${protocol}${connects ? "" : " unconnected"}: ${what}`,
      needs: [...view.needs, "affinity"],
      play: story,
    });
    /** The client's backend, and the time of its last use. */
    const remembered = (stage: Stage) => {
      const entries = [...stage.open(mapsFor(scheme.service(0).address).affinity)].filter(
        ([{ revNatIndex }]) => revNatIndex === INDEX,
      );
      assert.is(entries.length, 1);
      return entries[0]!;
    };
    return [
      play("within the timeout a client keeps its backend, whatever others come", async (stage) => {
        // Long enough for the slowest machine.
        set(stage, [first], 3600);
        assert.is(await visit(stage), first);
        set(stage, [first, second], 3600);
        for (let i = 0; i < 12; i++) assert.is(await visit(stage), first);
      }),
      play("a backend that is terminating is kept no longer", async (stage) => {
        set(stage, [first], 3600);
        assert.is(await visit(stage), first);
        set(stage, [second], 3600);
        stage.services.terminate(first, INDEX);
        for (let i = 0; i < 2; i++) assert.is(await visit(stage), second);
      }),
      play("a backend that is gone is kept no longer", async (stage) => {
        set(stage, [first], 3600);
        assert.is(await visit(stage), first);
        set(stage, [second], 3600);
        for (let i = 0; i < 2; i++) assert.is(await visit(stage), second);
        set(stage, [first, second], 3600);
        for (let i = 0; i < 12; i++) assert.is(await visit(stage), second);
      }),
      play("after the timeout it is a new client", async (stage) => {
        set(stage, [first]);
        assert.is(await visit(stage), first);
        set(stage, [second]);
        // Active, although without slots: only the timeout keeps the client from it.
        stage
          .open(mapsFor(scheme.service(0).address).backends)
          .set({ ...scheme.backendEndpoint(0), revNatIndex: INDEX }, 0);
        const [key, value] = remembered(stage);
        stage.open(mapsFor(scheme.service(0).address).affinity).set(key, { ...value, lastUsed: 0n });
        assert.is(await visit(stage), second);
        assert.is(remembered(stage)[1].port, scheme.backendEndpoint(1).port);
      }),
      play("a service without a timeout remembers no client", async (stage) => {
        set(stage, [first], 0);
        assert.is(await visit(stage), first);
        assert.equal(
          [...stage.open(mapsFor(scheme.service(0).address).affinity)].filter(
            ([{ revNatIndex }]) => revNatIndex === INDEX,
          ),
          [],
        );
      }),
    ];
  }),
);
