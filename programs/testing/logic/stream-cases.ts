/** Where streams go, and what their peer is said to be. */
import * as assert from "uvu/assert";
import { errnoOf } from "../socket-error.ts";
import { mapsFor, serviceKey } from "../service-table.ts";
import { refusal, type Case } from "./case.ts";
import type { Stage, StageSocket } from "./stage.ts";
import { views, type Scheme, type View } from "./views.ts";

/** Where nobody listens. */
const NOBODY = { 4: "20.0.0.1:9", 6: "[fd00:20::1]:9" };
const GET = "GET / HTTP/1.1\r\nHost: test\r\n\r\n";

interface Streams {
  readonly stage: Stage;
  readonly view: View;
  readonly scheme: Scheme;
  /** A connection to service 0. */
  connect(): Promise<StageSocket>;
}

export const streamCases: readonly Case[] = views.flatMap((view) =>
  view.schemes.flatMap((scheme) => {
    const [service, backend] = [scheme.service(0), scheme.backend(0)];
    const [asked, direct] = [view.asked(service), view.asked(scheme.backendEndpoint(0))];
    const play = (what: string, story: (streams: Streams) => Promise<void>): Case => ({
      name: `${view.name}, services by ${scheme.name}, streams: ${what}`,
      needs: view.needs,
      async play(stage) {
        stage.services.set(service, "tcp", [backend]);
        const connect = async () => {
          const socket = await stage.socket("tcp", view.family);
          await socket.connect(asked);
          return socket;
        };
        await story({ stage, view, scheme, connect });
        assert.equal(stage.reverseEntries(), [], "no stream has a reverse entry");
      },
    });
    const refuses = async ({ stage, connect }: Streams) =>
      assert.is(await errnoOf(connect()), refusal(stage, "streams"));
    return [
      play("a service's backend; the peer is the service where streams are remembered", async ({ stage, connect }) => {
        const socket = await connect();
        assert.is((await socket.exchange(GET)).text, backend);
        assert.equal(await socket.peer(), stage.options.rememberStreams ? asked : direct);
        stage.services.remove(service, "tcp");
        assert.is((await socket.exchange(GET)).text, backend);
        assert.equal(await socket.peer(), direct, "a removed service is not a peer");
      }),
      play("dissolved or failed, then to the backend itself: the peer is the backend", async ({ stage, connect }) => {
        const socket = await connect();
        for (const dissolveAndConnect of [
          async () => {},
          async () => {
            stage.services.set(scheme.service(1), "tcp", [NOBODY[service.address.includes(":") ? 6 : 4]], {
              revNatIndex: 2,
            });
            assert.is(await errnoOf(socket.connect(view.asked(scheme.service(1)))), "ECONNREFUSED");
          },
        ]) {
          await socket.dissolve();
          await dissolveAndConnect();
          await socket.connect(direct);
          assert.equal(await socket.peer(), direct);
          assert.is((await socket.exchange(GET)).text, backend);
          await socket.dissolve();
          await socket.connect(asked);
          assert.equal(await socket.peer(), stage.options.rememberStreams ? asked : direct);
        }
      }),
      play("no service: it stays as it is", async ({ stage }) => {
        const socket = await stage.socket("tcp", view.family);
        const other = view.asked(scheme.backendEndpoint(1));
        await socket.connect(other);
        assert.is((await socket.exchange(GET)).text, scheme.backend(1));
        assert.equal(await socket.peer(), other);
        // The filter does not tell it from a service.
        stage.services.set(scheme.besideBackend(1), "tcp", [backend]);
        const another = await stage.socket("tcp", view.family);
        await another.connect(other);
        assert.is((await another.exchange(GET)).text, scheme.backend(1));
      }),
      play("a service without backends refuses", async (streams) => {
        streams.stage.services.set(service, "tcp", []);
        await refuses(streams);
      }),
      play("a service whose slots are not there refuses", async (streams) => {
        const services = streams.stage.open(mapsFor(service.address).services);
        const key = serviceKey(service, "tcp");
        services.set(key, { ...services.get(key)!, range: { base: 0x7fff_ffff, count: 1 } });
        await refuses(streams);
      }),
      play("an element that says it is another service's is not believed", async (streams) => {
        const services = streams.stage.open(mapsFor(service.address).services);
        const key = serviceKey(service, "tcp");
        services.set(key, { ...services.get(key)!, key: serviceKey(scheme.service(1), "tcp") });
        await refuses(streams);
      }),
    ];
  }),
);
