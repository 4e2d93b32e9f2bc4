/** Counters other than those of calls. */
import { NO_SERVICE } from "../../index.ts";
import { mapsFor } from "../service-table.ts";
import { Scene, type Case } from "./case.ts";
import { views } from "./views.ts";

const FLOWS = [0, 1, 2, 3] as const;

export const counterCases: readonly Case[] = views.map(
  (view): Case => ({
    name: `${view.name}, counters: entries that the reverse map has evicted are missed when their socket is closed`,
    needs: [...view.needs, "metrics", "recentInReverseMap"],
    async play(stage) {
      const [scheme] = view.schemes;
      const { address } = scheme.service(0);
      const scene = new Scene(stage, view, scheme);
      await scene.open();
      scene.serveAll(FLOWS.length);
      await scene.askAll(FLOWS.length);
      scene.holds(...FLOWS);
      const reverse = stage.open(mapsFor(address).reverseSk);
      for (const key of [...reverse.keys()]) reverse.delete(key);
      await scene.socket.close();
      stage.checkCounters(address, NO_SERVICE, { reverseEvicted: FLOWS.length });
    },
  }),
);
