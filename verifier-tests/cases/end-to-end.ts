/** The load balancer's story, with real sockets: to a service, to its backend, and back as from the service. */
import { observed, type Case, type Expectation, type PerKernel } from "../suite/case.ts";
import { setRetval } from "../suite/features.ts";
import { withLoadBalancer, type ServiceEntry, type TestLoadBalancer } from "../suite/load-balancer.ts";
import { addresses, services } from "../suite/network.ts";
import { errorOf, Socket, type Endpoint } from "../suite/socket.ts";

const service: Endpoint = { address: services.service4, port: 80 };
const direct: Endpoint = { address: addresses.backend4, port: 7 };

type Keep = (socket: Socket) => Socket;

interface Scene {
  readonly balancer: TestLoadBalancer;
  readonly keep: Keep;
  /** Makes a client's socket, as a process that is balanced. */
  readonly client: (make: () => Socket) => Socket;
  /** One backend of the service, for each protocol; TCP listens. */
  readonly udp: Socket;
  readonly tcp: Socket;
}

const text = ({ address, port }: Endpoint): string => `${address}:${port}`;

function story(name: string, expect: PerKernel<Expectation>, play: (scene: Scene) => string | Promise<string>, backends: "one" | "none" = "one"): Case {
  return {
    name: `end to end/${name}`,
    expect,
    run: () => withLoadBalancer(async (balancer) => {
      const sockets: Socket[] = [];
      const keep: Keep = (socket) => {
        sockets.push(socket);
        return socket;
      };
      try {
        const udp = keep(Socket.udp4().bind(addresses.backend4));
        const tcp = keep(Socket.tcp4().bind(addresses.backend4).listen());
        const entry = (protocol: "tcp" | "udp", backend: Socket): ServiceEntry =>
          ({ name: protocol, ...service, protocol, backends: backends === "none" ? [] : [text(backend.local)] });
        await balancer.load([entry("tcp", tcp), entry("udp", udp)]);
        const client = (make: () => Socket) => keep(balancer.cgroup.inside(make));
        return { kind: "observed", value: await play({ balancer, keep, client, udp, tcp }) };
      } finally {
        for (const socket of sockets) socket.close();
      }
    }),
  };
}

const who = (found: Endpoint): string => ({ [text(service)]: "service", [text(direct)]: "backend" })[text(found)] ?? text(found);

/** A UDP backend answers what waits for it. */
function answer(backend: Socket, reply: string): void {
  const { from } = backend.receive();
  backend.send(reply, from);
}

function exchange(client: Socket, backend: Socket, to: Endpoint | undefined): string {
  client.send("request", to);
  answer(backend, "reply");
  const { text, from } = client.receive();
  return `${text} from ${who(from)}`;
}

/** Without `bpf_set_retval` a refusal can only say EPERM. */
const noBackend: PerKernel<Expectation> = { from: { "5.10": { kind: "observed", value: "EPERM" }, [setRetval.since]: { kind: "observed", value: "EHOSTUNREACH" } } };

export const endToEnd: readonly Case[] = [
  story("TCP: a connection to the service is the backend's", observed("request, reply"), ({ client, keep, tcp }) => {
    const socket = client(Socket.tcp4).connect(service);
    const server = keep(tcp.accept());
    socket.send("request");
    const received = server.receiveText();
    server.send("reply");
    return `${received}, ${socket.receiveText()}`;
  }),
  story("UDP, unconnected: the reply is the service's", observed("reply from service"), ({ client, udp }) => exchange(client(Socket.udp4), udp, service)),
  story("UDP, unconnected, a second time: the reply is the service's", observed("reply from service, reply from service"), ({ client, udp }) => {
    const socket = client(Socket.udp4);
    return [exchange(socket, udp, service), exchange(socket, udp, service)].join(", ");
  }),
  story("UDP, connected: reply and peer are the service's", observed("reply from service, peer service"), ({ client, udp }) => {
    const socket = client(Socket.udp4).connect(service);
    return `${exchange(socket, udp, undefined)}, peer ${who(socket.peer)}`;
  }),
  story("a destination that is no service is left alone", observed("reply from backend"), ({ client, keep }) => {
    const backend = keep(Socket.udp4().bind(direct.address, direct.port));
    return exchange(client(Socket.udp4), backend, direct);
  }),
  story("sockets of other cgroups are left alone", observed("ENETUNREACH"), ({ keep }) => errorOf(() => keep(Socket.udp4()).connect(service))),
  story("a service without backends refuses, over TCP", noBackend, ({ client }) => errorOf(() => client(Socket.tcp4).connect(service)), "none"),
  story("a service without backends refuses, over connected UDP", noBackend, ({ client }) => errorOf(() => client(Socket.udp4).connect(service)), "none"),
  story("a service without backends refuses, over unconnected UDP", noBackend, ({ client }) => errorOf(() => client(Socket.udp4).send("x", service)), "none"),
  story("sockets that are closed leave nothing behind", observed("20 entries, then 0"), ({ balancer, client, udp }) => {
    const sockets = Array.from({ length: 20 }, () => client(Socket.udp4));
    for (const socket of sockets) exchange(socket, udp, service);
    const before = balancer.reverseEntries();
    for (const socket of sockets) socket.close();
    return `${before} entries, then ${balancer.reverseEntries()}`;
  }),
  story("a service that moves takes new sockets with it", observed("old, new"), async ({ balancer, client, keep, udp }) => {
    const other = keep(Socket.udp4().bind(addresses.otherBackend4));
    const asked = (backend: Socket, name: string): string => {
      client(Socket.udp4).send("request", service);
      return backend.receiveText() === "request" ? name : "nothing";
    };
    const before = asked(udp, "old");
    await balancer.load([{ name: "udp", ...service, protocol: "udp", backends: [text(other.local)] }]);
    return `${before}, ${asked(other, "new")}`;
  }),
];
