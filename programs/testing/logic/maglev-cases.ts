/** Services whose slots are a Maglev table: a network namespace comes to the same backend each time. */
import * as assert from "uvu/assert";
import { ServiceFlag, sources } from "../../index.ts";
import type { Party } from "../data-path.ts";
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
const INDEX = 9;
/** So many slots for each of two backends, one after the other. */
const TURNS = 8;

/** Where a number that is spread over 32 bits points to in a table of so many slots. */
const slotFor = (seed: number, slots: number): number => Math.floor((seed / 2 ** 32) * slots);

export const maglevCases: readonly Case[] = views.flatMap((view) =>
  uses.flatMap(([protocol, connects]) => {
    const [scheme] = view.schemes;
    const asked = view.asked(scheme.service(0));
    const table = [0, 1].flatMap((i) => new Array<string>(TURNS).fill(scheme.backend(i)));
    const visit = async (stage: Stage, party: Party) => {
      const socket = await stage.socket(protocol, view.family, party);
      if (connects) await socket.connect(asked);
      const { text } = await socket.exchange(protocol === "tcp" ? GET : "hello", connects ? undefined : asked);
      await socket.close();
      return text;
    };
    /** The backends that some sockets of a party come to. */
    const visits = async (stage: Stage, party: Party, count = 6) => {
      const found = new Set<string>();
      for (let i = 0; i < count; i++) found.add(await visit(stage, party));
      return [...found].sort();
    };
    const play = (
      what: string,
      needs: Case["needs"],
      story: (stage: Stage, set: (flags: number, affinityTimeout?: number) => void) => Promise<void>,
    ): Case => ({
      name: `${view.name}, Maglev, ${protocol}${connects ? "" : " unconnected"}: ${what}`,
      needs: [...view.needs, "maglev", ...needs!],
      play: (stage) =>
        story(stage, (flags, affinityTimeout = 0) =>
          stage.services.set(scheme.service(0), protocol, table, { revNatIndex: INDEX, flags, affinityTimeout }),
        ),
    });
    return [
      play("the source's number says which slot", ["ipv6"], async (stage, set) => {
        set(ServiceFlag.MAGLEV);
        const [host, container] = [stage.identity("host").netnsCookie, stage.identity("container").netnsCookie];
        for (const seed of [0, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff]) {
          stage.open(sources).set(host, seed);
          stage.open(sources).set(container, 0xffff_ffff - seed);
          assert.equal(await visits(stage, "host"), [table[slotFor(seed, table.length)]]);
          assert.equal(await visits(stage, "container"), [table[slotFor(0xffff_ffff - seed, table.length)]]);
        }
      }),
      play("a source that has no number goes by its cookie", [], async (stage, set) => {
        set(ServiceFlag.MAGLEV);
        for (const party of ["host", "container"] as const) {
          const seed = Number((stage.identity(party).netnsCookie * 0x9e37_79b1n) & 0xffff_ffffn);
          assert.equal(await visits(stage, party), [table[slotFor(seed, table.length)]]);
        }
      }),
      play("another service has each socket choose", [], async (stage, set) => {
        set(0);
        stage.open(sources).set(stage.identity("host").netnsCookie, 0);
        assert.equal(await visits(stage, "host", 40), [scheme.backend(0), scheme.backend(1)]);
      }),
      play("session affinity comes first", ["affinity"], async (stage, set) => {
        set(ServiceFlag.MAGLEV, 3600);
        const host = stage.identity("host").netnsCookie;
        stage.open(sources).set(host, 0);
        assert.equal(await visits(stage, "host"), [scheme.backend(0)]);
        stage.open(sources).set(host, 0xffff_ffff);
        assert.equal(await visits(stage, "host"), [scheme.backend(0)]);
        set(ServiceFlag.MAGLEV);
        assert.equal(await visits(stage, "host"), [scheme.backend(1)]);
      }),
    ];
  }),
);
