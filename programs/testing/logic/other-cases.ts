/** Ports that are taken, sockets of one family with addresses of the other, sockets that end. */
import * as assert from "uvu/assert";
import { endpointText } from "../endpoint.ts";
import { errnoOf } from "../socket-error.ts";
import { ask, Scene, ways, type Case } from "./case.ts";
import { ENDS_AS_MAPPED, PORTS } from "./stage.ts";
import { views } from "./views.ts";

const [ipv4, mapped, ipv6] = views;
const ANY4 = { address: "0.0.0.0", port: 30_000 };
const ANY6 = { address: "::", port: 30_000 };

const bindCases: readonly Case[] = [
  {
    name: "a service's port on the host's own addresses cannot be bound",
    needs: ["nodePorts"],
    async play(stage) {
      stage.services.reserve(ANY4, "udp");
      for (const address of ["0.0.0.0", "127.0.0.1"]) {
        assert.is(await errnoOf((await stage.socket("udp", 4)).bind({ address, port: ANY4.port })), "EPERM");
        for (const [protocol, port] of [
          ["udp", ANY4.port + 1],
          ["tcp", ANY4.port],
        ] as const) {
          const socket = await stage.socket(protocol, 4);
          await socket.bind({ address, port });
          await socket.close();
        }
      }
    },
  },
  {
    name: "an IPv6 socket that also takes IPv4 calls is refused the ports of both families",
    needs: ["nodePorts", "ipv6"],
    async play(stage) {
      stage.services.reserve(ANY4, "udp");
      stage.services.reserve(ANY6, "tcp");
      assert.is(await errnoOf((await stage.socket("udp", 6)).bind(ANY6)), "EPERM");
      assert.is(await errnoOf((await stage.socket("tcp", 6)).bind(ANY6)), "EPERM");
      await (await stage.socket("udp", 6)).bind({ ...ANY6, port: ANY6.port + 1 });
      await (await stage.socket("tcp", 4)).bind(ANY4);
    },
  },
  {
    name: "an IPv6 socket at an address of one family is refused the ports of that family",
    needs: ["nodePorts", "ipv6"],
    async play(stage) {
      stage.services.reserve(ANY4, "udp");
      stage.services.reserve({ ...ANY6, port: ANY6.port + 1 }, "udp");
      for (const [address, taken] of [
        ["::ffff:127.0.0.1", ANY4.port],
        ["::1", ANY6.port + 1],
        ["fd00:7::", ANY6.port + 1],
        ["fd00:7::ffff:7f00:1", ANY6.port + 1],
      ] as const) {
        for (const port of [ANY4.port, ANY6.port + 1]) {
          const socket = await stage.socket("udp", 6);
          const errno = await errnoOf(socket.bind({ address, port }));
          // A kernel refuses an address that the host lacks before it runs the program.
          if (errno !== "EADDRNOTAVAIL") assert.is(errno === "EPERM", port === taken, `${address} ${port}: ${errno}`);
          await socket.close();
        }
      }
    },
  },
  {
    name: "in another network namespace the same port can be bound",
    needs: ["nodePorts", "ipv6"],
    async play(stage) {
      stage.services.reserve(ANY4, "udp");
      stage.services.reserve(ANY6, "tcp");
      for (const [protocol, family, address] of [
        ["udp", 4, ANY4],
        ["udp", 6, ANY6],
        ["tcp", 6, ANY6],
      ] as const) {
        const socket = await stage.socket(protocol, family, "container");
        await socket.bind(address);
        await socket.close();
      }
    },
  },
];

const crossedCases: readonly Case[] = [
  {
    name: "an IPv6 address that only ends as mapped ones do is none",
    needs: ["ipv6"],
    async play(stage) {
      const destination = { address: ENDS_AS_MAPPED, port: PORTS[0]! };
      for (const way of ways) {
        const socket = await stage.socket("udp", 6);
        assert.equal(await ask(socket, way, destination), { text: endpointText(destination), ...destination });
      }
    },
  },
  {
    name: "built without IPv6: what an IPv6 socket sends to a mapped service stays as it is",
    without: ["ipv6"],
    async play(stage) {
      const [scheme] = mapped.schemes;
      // The service hides a backend, which an IPv6 socket reaches all the same.
      stage.services.set(scheme.backendEndpoint(0), "udp", [scheme.backend(1)]);
      const socket = await stage.socket("udp", 6);
      const asked = mapped.asked(scheme.backendEndpoint(0));
      assert.equal(await ask(socket, "sendto", asked), { text: scheme.backend(0), ...asked });
      assert.equal(await ask(socket, "connect", asked), { text: scheme.backend(0), ...asked });
      assert.equal(stage.reverseEntries(), []);
    },
  },
  {
    name: "an IPv6 socket that is connected to a mapped service sends to its peer, and to others",
    needs: ["ipv6"],
    async play(stage) {
      for (const scheme of mapped.schemes) {
        const scene = new Scene(stage, mapped, scheme, "connect");
        await scene.open();
        scene.serveAll(2);
        await scene.askFor(1);
        await scene.askFor(0);
        // To the peer, as the programs see it: by no name, and by its backend's.
        for (let i = 0; i < 2; i++)
          assert.equal(await scene.socket.exchange("hello"), { text: scheme.backend(0), ...scene.asked(0) });
        scene.holds(0, 1);
        // To the other service's backend, whose answer the kernel drops: this socket hears its peer alone.
        await scene.socket.send("hello", scene.direct(1));
        scene.holds(0);
        await scene.socket.send("hello", scene.direct(5));
        scene.holds(0);
        await scene.socket.dissolve();
        await scene.socket.send("hello", scene.direct(0));
        scene.holds();
        await scene.socket.close();
        stage.services.remove(scheme.service(0), "udp");
      }
    },
  },
  {
    name: "an IPv6 socket that is connected to a mapped service whose backend is at a service's address itself",
    needs: ["ipv6"],
    async play(stage) {
      for (const scheme of mapped.schemes) {
        const scene = new Scene(stage, mapped, scheme, "connect");
        await scene.open();
        scene.serve(0);
        stage.services.set(scheme.backendEndpoint(0), "udp", [scheme.backend(5)], { revNatIndex: 50 });
        await scene.askFor(0);
        // As an IPv4 socket would, which no program looks at here: what another sent back would not be heard.
        for (let i = 0; i < 2; i++)
          assert.equal(await scene.socket.exchange("hello"), { text: scheme.backend(0), ...scene.asked(0) });
        scene.holds(0);
        // For a socket that is not connected to it, that address is the other service.
        await scene.socket.dissolve();
        assert.equal(await ask(scene.socket, "sendto", scene.direct(0)), {
          text: scheme.backend(5),
          ...scene.direct(0),
        });
        await scene.socket.close();
        stage.services.remove(scheme.backendEndpoint(0), "udp");
        stage.services.remove(scheme.service(0), "udp");
      }
    },
  },
  {
    name: "a socket that talks to both families' services, and becomes an IPv4 socket",
    needs: ["ipv6"],
    async play(stage) {
      const six = new Scene(stage, ipv6, ipv6.schemes[0]);
      const four = new Scene(stage, mapped, mapped.schemes[0]);
      six.serve(0);
      four.serve(0);
      const socket = await stage.socket("udp", 6);
      assert.equal(await socket.exchange("hello", six.asked(0)), { text: ipv6.schemes[0].backend(0), ...six.asked(0) });
      assert.equal(await ask(socket, "connect", four.asked(0)), {
        text: mapped.schemes[0].backend(0),
        ...four.asked(0),
      });
      assert.is(stage.reverseEntries().length, stage.options.recentInReverseMap ? 2 : 0);
      await socket.becomeIpv4();
      const service = ipv4.schemes[0].service(0);
      assert.equal(await socket.peer(), service);
      assert.equal(await socket.exchange("hello"), { text: ipv4.schemes[0].backend(0), ...service });
      await socket.close();
      assert.equal(stage.reverseEntries(), []);
    },
  },
];

/** Sockets with so many flows that some are older ones; those that the other cases have are closed, too. */
const endCases: readonly Case[] = views.map((view) => ({
  name: `${view.name}: a socket with recent flows, older ones, and places between that have become empty`,
  needs: view.needs,
  async play(stage) {
    const scene = new Scene(stage, view, view.schemes[0]);
    await scene.open();
    scene.serveAll(8);
    await scene.askAll(8);
    scene.holds(0, 1, 2, 3, 4, 5, 6, 7);
    // An older one comes back, and so leaves its place; a recent one is forgotten.
    await scene.askFor(1);
    await scene.askDirectly(7);
    scene.holds(0, 1, 2, 3, 4, 5, 6);
    await scene.socket.close();
    assert.equal(stage.reverseEntries(), []);
  },
}));

export const otherCases: readonly Case[] = [...bindCases, ...crossedCases, ...endCases];
