/**
 * Which hooks a socket call runs, in order. A load balancer has to know this to cover every connection and
 * every reply.
 */
import { observed, type Case } from "../suite/case.ts";
import { inTestCgroup } from "../suite/cgroup.ts";
import { allHooks } from "../suite/hooks.ts";
import { addresses } from "../suite/network.ts";
import { errorOf, Socket, withSockets, type Endpoint } from "../suite/socket.ts";
import { Trace } from "../suite/trace.ts";

interface Peers {
  /** A listening TCP socket and a bound UDP socket per family, all outside the cgroup. */
  readonly tcp4: Endpoint;
  readonly tcp6: Endpoint;
  readonly udp4: Socket;
  readonly udp6: Socket;
}

interface Step {
  readonly name: string;
  /** The hooks that run, or `none`. */
  readonly expect: string;
  /** Done in the cgroup, untraced. */
  readonly before: (peers: Peers, keep: (socket: Socket) => Socket) => Socket;
  /** The traced step. */
  readonly step: (socket: Socket, peers: Peers) => void;
}

const mapped = ({ address, port }: Endpoint): Endpoint => ({ address: `::ffff:${address}`, port });

const steps: readonly Step[] = [
  { name: "socket(AF_INET, SOCK_STREAM)", expect: "sock_create", before: () => Socket.tcp4(), step: () => {} },
  {
    name: "TCP connect, IPv4",
    expect: "connect4",
    before: () => Socket.tcp4(),
    step: (socket, { tcp4 }) => void socket.connect(tcp4),
  },
  {
    name: "TCP connect, IPv6",
    expect: "connect6",
    before: () => Socket.tcp6(),
    step: (socket, { tcp6 }) => void socket.connect(tcp6),
  },
  {
    name: "TCP connect, IPv6 socket to a v4-mapped address",
    expect: "connect6",
    before: () => Socket.tcp6(),
    step: (socket, { tcp4 }) => void socket.connect(mapped(tcp4)),
  },
  {
    name: "UDP connect, IPv4",
    expect: "connect4",
    before: () => Socket.udp4(),
    step: (socket, { udp4 }) => void socket.connect(udp4.local),
  },
  {
    name: "UDP connect, IPv6",
    expect: "connect6",
    before: () => Socket.udp6(),
    step: (socket, { udp6 }) => void socket.connect(udp6.local),
  },
  {
    name: "UDP connect, IPv6 socket to a v4-mapped address",
    expect: "connect6",
    before: () => Socket.udp6(),
    step: (socket, { udp4 }) => void socket.connect(mapped(udp4.local)),
  },
  {
    name: "UDP connect to AF_UNSPEC",
    expect: "none",
    before: ({ udp4 }) => Socket.udp4().connect(udp4.local),
    step: (socket) => socket.disconnect(),
  },
  {
    name: "UDP send to a destination, IPv4",
    expect: "sendmsg4",
    before: () => Socket.udp4(),
    step: (socket, { udp4 }) => socket.send("x", udp4.local),
  },
  {
    name: "UDP send to a destination, IPv6",
    expect: "sendmsg6",
    before: () => Socket.udp6(),
    step: (socket, { udp6 }) => socket.send("x", udp6.local),
  },
  {
    name: "UDP send to a v4-mapped destination",
    expect: "sendmsg4",
    before: () => Socket.udp6(),
    step: (socket, { udp4 }) => socket.send("x", mapped(udp4.local)),
  },
  {
    name: "UDP send on a connected socket",
    expect: "none",
    before: ({ udp4 }) => Socket.udp4().connect(udp4.local),
    step: (socket) => socket.send("x"),
  },
  {
    name: "UDP send to a destination on a connected socket",
    expect: "sendmsg4",
    before: ({ udp4 }) => Socket.udp4().connect(udp4.local),
    step: (socket, { udp4 }) => socket.send("x", udp4.local),
  },
  {
    name: "UDP send to a destination on a connected IPv6 socket",
    expect: "sendmsg6",
    before: ({ udp6 }) => Socket.udp6().connect(udp6.local),
    step: (socket, { udp6 }) => socket.send("x", udp6.local),
  },
  {
    name: "UDP receive, IPv4",
    expect: "recvmsg4",
    before: ({ udp4 }) => replied(Socket.udp4(), udp4, addresses.client4),
    step: (socket) => void socket.receive(),
  },
  {
    name: "UDP receive, IPv6",
    expect: "recvmsg6",
    before: ({ udp6 }) => replied(Socket.udp6(), udp6, addresses.client6),
    step: (socket) => void socket.receive(),
  },
  {
    name: "UDP receive from a v4-mapped address",
    expect: "recvmsg6",
    before: ({ udp4 }) => replied(Socket.udp6(), udp4, `::ffff:${addresses.client4}`),
    step: (socket) => void socket.receive(),
  },
  {
    name: "UDP receive without asking for the source",
    expect: "none",
    before: ({ udp4 }) => replied(Socket.udp4(), udp4, addresses.client4),
    step: (socket) => void socket.receiveText(),
  },
  {
    name: "UDP receive on a connected socket",
    expect: "recvmsg4",
    before: ({ udp4 }) => replied(Socket.udp4(), udp4, addresses.client4).connect(udp4.local),
    step: (socket) => void socket.receive(),
  },
  {
    name: "getpeername, TCP over IPv4",
    expect: "getpeername4",
    before: ({ tcp4 }) => Socket.tcp4().connect(tcp4),
    step: (socket) => void socket.peer,
  },
  {
    name: "getpeername, UDP over IPv4",
    expect: "getpeername4",
    before: ({ udp4 }) => Socket.udp4().connect(udp4.local),
    step: (socket) => void socket.peer,
  },
  {
    name: "getpeername, IPv6",
    expect: "getpeername6",
    before: ({ tcp6 }) => Socket.tcp6().connect(tcp6),
    step: (socket) => void socket.peer,
  },
  {
    name: "getpeername, v4-mapped",
    expect: "getpeername6",
    before: ({ tcp4 }) => Socket.tcp6().connect(mapped(tcp4)),
    step: (socket) => void socket.peer,
  },
  {
    name: "getsockname, IPv4",
    expect: "getsockname4",
    before: () => Socket.udp4().bind(addresses.client4),
    step: (socket) => void socket.local,
  },
  {
    name: "getsockname, IPv6",
    expect: "getsockname6",
    before: () => Socket.udp6().bind(addresses.client6),
    step: (socket) => void socket.local,
  },
  {
    name: "bind, IPv4",
    expect: "bind4 post_bind4",
    before: () => Socket.udp4(),
    step: (socket) => void socket.bind(addresses.client4),
  },
  {
    name: "bind, IPv6",
    expect: "bind6 post_bind6",
    before: () => Socket.udp6(),
    step: (socket) => void socket.bind(addresses.client6),
  },
  {
    name: "close, TCP",
    expect: "sock_release",
    before: ({ tcp4 }) => Socket.tcp4().connect(tcp4),
    step: (socket) => socket.close(),
  },
  { name: "close, UDP", expect: "sock_release", before: () => Socket.udp4(), step: (socket) => socket.close() },
];

/** A socket with a datagram from `sender` in its queue. */
function replied(socket: Socket, sender: Socket, address: string): Socket {
  socket.bind(address);
  const { port } = socket.local;
  const plain = sender.family === socket.family ? address : address.replace("::ffff:", "");
  sender.send("reply", { address: plain, port });
  return socket;
}

function stepCase({ name, expect, before, step }: Step): Case {
  return {
    name: `hooks called/${name}`,
    expect: observed(expect),
    run: () =>
      inTestCgroup((cgroup) =>
        withSockets((keep) => {
          const trace = new Trace();
          cgroup.keep(trace.map);
          const peers: Peers = {
            tcp4: keep(Socket.tcp4().bind(addresses.backend4).listen()).local,
            tcp6: keep(Socket.tcp6().bind(addresses.backend6).listen()).local,
            udp4: keep(Socket.udp4().bind(addresses.backend4)),
            udp6: keep(Socket.udp6().bind(addresses.backend6)),
          };
          allHooks.forEach((hook, i) => cgroup.attach(hook, trace.program(i + 1)));
          const ran = cgroup.inside(() => {
            const socket = keep(before(peers, keep));
            if (!name.startsWith("socket(")) trace.take();
            const error = errorOf(() => step(socket, peers));
            return [...trace.take().map((id) => allHooks[id - 1]!.name), ...(error === "ok" ? [] : [error])];
          });
          return { kind: "observed", value: ran.join(" ") || "none" };
        }),
      ),
  };
}

export const hooksCalled: readonly Case[] = steps.map(stepCase);
