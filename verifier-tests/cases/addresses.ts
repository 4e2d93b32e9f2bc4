/**
 * Programs that rewrite addresses, and the effect on socket calls: the kernel's part in a load balancer's
 * behaviour.
 */
import { exit, mov, r0, type Item } from "../../src/asm/index.ts";
import { observed, type Case } from "../suite/case.ts";
import { inTestCgroup, type TestCgroup } from "../suite/cgroup.ts";
import {
  bind4,
  bind6,
  connect4,
  connect6,
  getpeername4,
  getpeername6,
  getsockname4,
  getsockname6,
  recvmsg4,
  recvmsg6,
  sendmsg4,
  sendmsg6,
} from "../suite/hooks.ts";
import { addresses, services } from "../suite/network.ts";
import { field, setAddress, setPort } from "../suite/rewrite.ts";
import { errorOf, Socket, withSockets, type Endpoint } from "../suite/socket.ts";

const { backend4, backend6, client4, client6 } = addresses;
const service4: Endpoint = { address: services.service4, port: 80 };
const service6: Endpoint = { address: services.service6, port: 80 };
const mapped4: Endpoint = { address: `::ffff:${services.service4}`, port: 80 };

type Keep = (socket: Socket) => Socket;
const proceed: readonly Item[] = [mov(r0, 1), exit()];
const to4 = ({ address, port }: Endpoint): readonly Item[] => [
  ...setAddress(field.userIp4, address),
  ...setPort(port),
  ...proceed,
];
const to6 = ({ address, port }: Endpoint): readonly Item[] => [
  ...setAddress(field.userIp6, address),
  ...setPort(port),
  ...proceed,
];

function addressCase(name: string, expect: string, use: (cgroup: TestCgroup, keep: Keep) => string): Case {
  return {
    name: `addresses/${name}`,
    expect: observed(expect),
    run: () => inTestCgroup((cgroup) => withSockets((keep) => ({ kind: "observed", value: use(cgroup, keep) }))),
  };
}

/** An endpoint's role, so that observations contain no port numbers. */
function role(found: Endpoint, roles: Readonly<Record<string, Endpoint>>): string {
  const name = Object.entries(roles).find(
    ([, { address, port }]) => address === found.address && port === found.port,
  )?.[0];
  return name ?? `${found.address} port ${found.port}`;
}

const connects: readonly Case[] = [
  addressCase("connect4 over TCP reaches the backend, which is the peer", "hello; peer: backend", (cgroup, keep) => {
    const listener = keep(Socket.tcp4().bind(backend4).listen());
    cgroup.attach(connect4, to4(listener.local));
    const client = keep(cgroup.inside(() => Socket.tcp4())).connect(service4);
    const server = keep(listener.accept());
    client.send("hello");
    return `${server.receiveText()}; peer: ${role(client.peer, { backend: listener.local, service: service4 })}`;
  }),
  addressCase("connect4 over UDP reaches the backend, which is the peer", "hello; peer: backend", (cgroup, keep) => {
    const backend = keep(Socket.udp4().bind(backend4));
    cgroup.attach(connect4, to4(backend.local));
    const client = keep(cgroup.inside(() => Socket.udp4())).connect(service4);
    client.send("hello");
    return `${backend.receiveText()}; peer: ${role(client.peer, { backend: backend.local, service: service4 })}`;
  }),
  addressCase("connect6 over TCP reaches the backend, which is the peer", "hello; peer: backend", (cgroup, keep) => {
    const listener = keep(Socket.tcp6().bind(backend6).listen());
    cgroup.attach(connect6, to6(listener.local));
    const client = keep(cgroup.inside(() => Socket.tcp6())).connect(service6);
    const server = keep(listener.accept());
    client.send("hello");
    return `${server.receiveText()}; peer: ${role(client.peer, { backend: listener.local, service: service6 })}`;
  }),
  addressCase("connect6 over UDP reaches the backend, which is the peer", "hello; peer: backend", (cgroup, keep) => {
    const backend = keep(Socket.udp6().bind(backend6));
    cgroup.attach(connect6, to6(backend.local));
    const client = keep(cgroup.inside(() => Socket.udp6())).connect(service6);
    client.send("hello");
    return `${backend.receiveText()}; peer: ${role(client.peer, { backend: backend.local, service: service6 })}`;
  }),
  addressCase("connect6 to a v4-mapped service reaches an IPv4 backend over TCP", "hello", (cgroup, keep) => {
    const listener = keep(Socket.tcp4().bind(backend4).listen());
    cgroup.attach(connect6, to6({ address: `::ffff:${backend4}`, port: listener.local.port }));
    const client = keep(cgroup.inside(() => Socket.tcp6())).connect(mapped4);
    const server = keep(listener.accept());
    client.send("hello");
    return server.receiveText();
  }),
  addressCase("connect6 to a v4-mapped service reaches an IPv4 backend over UDP", "hello", (cgroup, keep) => {
    const backend = keep(Socket.udp4().bind(backend4));
    cgroup.attach(connect6, to6({ address: `::ffff:${backend4}`, port: backend.local.port }));
    const client = keep(cgroup.inside(() => Socket.udp6())).connect(mapped4);
    client.send("hello");
    return backend.receiveText();
  }),
];

const sends: readonly Case[] = [
  addressCase("sendmsg4 sends to the backend", "hello", (cgroup, keep) => {
    const backend = keep(Socket.udp4().bind(backend4));
    cgroup.attach(sendmsg4, to4(backend.local));
    keep(cgroup.inside(() => Socket.udp4())).send("hello", service4);
    return backend.receiveText();
  }),
  addressCase("sendmsg4 chooses the source address", client4, (cgroup, keep) => {
    const backend = keep(Socket.udp4().bind(backend4));
    cgroup.attach(sendmsg4, [...setAddress(field.msgSrcIp4, client4), ...to4(backend.local)]);
    keep(cgroup.inside(() => Socket.udp4())).send("hello", service4);
    return backend.receive().from.address;
  }),
  addressCase("sendmsg6 sends to the backend", "hello", (cgroup, keep) => {
    const backend = keep(Socket.udp6().bind(backend6));
    cgroup.attach(sendmsg6, to6(backend.local));
    keep(cgroup.inside(() => Socket.udp6())).send("hello", service6);
    return backend.receiveText();
  }),
  addressCase("sendmsg6 chooses the source address", client6, (cgroup, keep) => {
    const backend = keep(Socket.udp6().bind(backend6));
    cgroup.attach(sendmsg6, [...setAddress(field.msgSrcIp6, client6), ...to6(backend.local)]);
    keep(cgroup.inside(() => Socket.udp6())).send("hello", service6);
    return backend.receive().from.address;
  }),
  addressCase("sendmsg6 rewriting to a v4-mapped address", "ENOTSUPP", (cgroup, keep) => {
    cgroup.attach(sendmsg6, to6({ address: `::ffff:${backend4}`, port: 9 }));
    const client = keep(cgroup.inside(() => Socket.udp6()));
    return errorOf(() => client.send("hello", service6));
  }),
  addressCase("sendmsg6 rewriting to :: sends to ::1", "hello", (cgroup, keep) => {
    const backend = keep(Socket.udp6().bind("::1"));
    cgroup.attach(sendmsg6, to6({ address: "::", port: backend.local.port }));
    keep(cgroup.inside(() => Socket.udp6())).send("hello", service6);
    return backend.receiveText();
  }),
  addressCase(
    "an application's own send to :: goes to ::1 past a program that leaves it unchanged",
    "hello",
    (cgroup, keep) => {
      const backend = keep(Socket.udp6().bind("::1"));
      cgroup.attach(sendmsg6, proceed);
      keep(cgroup.inside(() => Socket.udp6())).send("hello", { address: "::", port: backend.local.port });
      return backend.receiveText();
    },
  ),
  addressCase("a send to a v4-mapped service runs sendmsg4 and reaches an IPv4 backend", "hello", (cgroup, keep) => {
    const backend = keep(Socket.udp4().bind(backend4));
    cgroup.attach(sendmsg4, to4(backend.local));
    keep(cgroup.inside(() => Socket.udp6())).send("hello", mapped4);
    return backend.receiveText();
  }),
];

const receives: readonly Case[] = [
  addressCase("recvmsg4 sets a reply's source", "reply from service", (cgroup, keep) => {
    const backend = keep(Socket.udp4().bind(backend4));
    cgroup.attach(recvmsg4, to4(service4));
    const client = keep(cgroup.inside(() => Socket.udp4())).bind(client4);
    backend.send("reply", client.local);
    const { text, from } = client.receive();
    return `${text} from ${role(from, { backend: backend.local, service: service4 })}`;
  }),
  addressCase("recvmsg6 sets a reply's source", "reply from service", (cgroup, keep) => {
    const backend = keep(Socket.udp6().bind(backend6));
    cgroup.attach(recvmsg6, to6(service6));
    const client = keep(cgroup.inside(() => Socket.udp6())).bind(client6);
    backend.send("reply", client.local);
    const { text, from } = client.receive();
    return `${text} from ${role(from, { backend: backend.local, service: service6 })}`;
  }),
  addressCase(
    "recvmsg6 sets the source of a reply from a v4-mapped address",
    "reply from mapped service",
    (cgroup, keep) => {
      const backend = keep(Socket.udp4().bind(backend4));
      cgroup.attach(recvmsg6, to6(mapped4));
      const client = keep(cgroup.inside(() => Socket.udp6())).bind(`::ffff:${client4}`);
      backend.send("reply", { address: client4, port: client.local.port });
      const { text, from } = client.receive();
      return `${text} from ${role(from, { "mapped service": mapped4 })}`;
    },
  ),
];

const names: readonly Case[] = [
  addressCase("getpeername4 returns the service", "service", (cgroup, keep) => {
    const backend = keep(Socket.udp4().bind(backend4));
    cgroup.attach(getpeername4, to4(service4));
    const client = keep(cgroup.inside(() => Socket.udp4())).connect(backend.local);
    return role(client.peer, { service: service4 });
  }),
  addressCase("getpeername6 returns the service", "service", (cgroup, keep) => {
    const backend = keep(Socket.udp6().bind(backend6));
    cgroup.attach(getpeername6, to6(service6));
    const client = keep(cgroup.inside(() => Socket.udp6())).connect(backend.local);
    return role(client.peer, { service: service6 });
  }),
  addressCase("getsockname4 returns another address", "service", (cgroup, keep) => {
    cgroup.attach(getsockname4, to4(service4));
    return role(keep(cgroup.inside(() => Socket.udp4())).bind(client4).local, { service: service4 });
  }),
  addressCase("getsockname6 returns another address", "service", (cgroup, keep) => {
    cgroup.attach(getsockname6, to6(service6));
    return role(keep(cgroup.inside(() => Socket.udp6())).bind(client6).local, { service: service6 });
  }),
  addressCase("bind4 binds to another address and port", "other", (cgroup, keep) => {
    const other = { address: backend4, port: 4321 };
    cgroup.attach(bind4, to4(other));
    return role(keep(cgroup.inside(() => Socket.udp4())).bind(client4).local, { other });
  }),
  addressCase("bind6 binds to another address and port", "other", (cgroup, keep) => {
    const other = { address: backend6, port: 4321 };
    cgroup.attach(bind6, to6(other));
    return role(keep(cgroup.inside(() => Socket.udp6())).bind(client6).local, { other });
  }),
];

export const addressRewriting: readonly Case[] = [...connects, ...sends, ...receives, ...names];
