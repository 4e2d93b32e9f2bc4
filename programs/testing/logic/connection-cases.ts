/** Sockets that are to be found when their service loses the backend that they are connected to. */
import * as assert from "uvu/assert";
import { maps4, maps6, ServiceFlag } from "../../index.ts";
import { endpointText } from "../endpoint.ts";
import type { Case } from "./case.ts";
import type { Stage } from "./stage.ts";
import { views } from "./views.ts";

const protocols = [
  ["tcp", 6],
  ["udp", 17],
] as const;

/** Every connection that is remembered, as text. */
const connections = ({ open, options }: Stage): string[] =>
  (options.ipv6 ? [maps4, maps6] : [maps4]).flatMap((maps) =>
    Array.from(
      open(maps.connections),
      ([cookie, { revNatIndex, protocol, ...backend }]) =>
        `socket ${cookie}, protocol ${protocol}: backend ${endpointText(backend)}, index ${revNatIndex}`,
    ),
  );

export const connectionCases: readonly Case[] = views.flatMap((view) =>
  protocols.map(
    ([protocol, number]): Case => ({
      name:
        `${view.name}, ${protocol}: a connected socket is recorded with its backend if the service asks for it, ` +
        "until it closes",
      needs: [...view.needs, "trackConnections"],
      async play(stage) {
        const [scheme] = view.schemes;
        const [service, other] = [scheme.service(0), scheme.service(1)];
        stage.services.set(service, protocol, [scheme.backend(0)], {
          revNatIndex: 1,
          flags: ServiceFlag.CLOSE_SOCKETS,
        });
        stage.services.set(other, protocol, [scheme.backend(1)], { revNatIndex: 2, flags: ServiceFlag.NODE_PORT });
        const socket = await stage.socket(protocol, view.family);
        const entered = [`socket ${socket.cookie}, protocol ${number}: backend ${scheme.backend(0)}, index 1`];
        await socket.connect(view.asked(other));
        assert.equal(connections(stage), []);
        for (const next of [other, scheme.backendEndpoint(2)]) {
          for (let i = 0; i < 2; i++) {
            await socket.dissolve();
            await socket.connect(view.asked(service));
            assert.equal(connections(stage), entered);
          }
          await socket.dissolve();
          await socket.connect(view.asked(next));
          assert.equal(connections(stage), []);
        }
        // One that is closed when it is not entered, one when it is.
        await socket.close();
        const another = await stage.socket(protocol, view.family);
        await another.connect(view.asked(service));
        assert.is(connections(stage).length, 1);
        await another.close();
        assert.equal(connections(stage), []);
      },
    }),
  ),
);
