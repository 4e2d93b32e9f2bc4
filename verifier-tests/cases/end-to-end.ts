/** The load balancer with real sockets: to a service, to its backend, and back as if from the service. */
import { statSync } from "node:fs";
import { optOutCgroups, ServiceFlag } from "../../programs/index.ts";
import { endpointText, type DataPath } from "../../programs/testing/index.ts";
import { observed, type Case, type Expectation, type PerKernel } from "../suite/case.ts";
import { withChild, type TestCgroup } from "../suite/cgroup.ts";
import { withDataPath } from "../suite/data-path.ts";
import { setRetval } from "../suite/features.ts";
import { addresses, services } from "../suite/network.ts";
import { errorOf, Socket, withSockets, type Endpoint } from "../suite/socket.ts";

type Protocol = "tcp" | "udp";

/** An address family, as seen by clients and by backends. */
interface Family {
  readonly name: string;
  readonly client: Readonly<Record<Protocol, () => Socket>>;
  readonly backend: Readonly<Record<Protocol, () => Socket>>;
  readonly service: Endpoint;
  readonly backendAddress: string;
  readonly otherBackendAddress: string;
  /** A backend's address in the form that the client uses and sees. */
  readonly seen: (endpoint: Endpoint) => Endpoint;
}

const sockets4 = { tcp: Socket.tcp4, udp: Socket.udp4 };
const sockets6 = { tcp: Socket.tcp6, udp: Socket.udp6 };
const service4 = { address: services.service4, port: 80 };
const over4 = {
  backend: sockets4,
  service: service4,
  backendAddress: addresses.backend4,
  otherBackendAddress: addresses.otherBackend4,
};

const families: readonly Family[] = [
  { name: "IPv4", ...over4, client: sockets4, seen: (endpoint) => endpoint },
  {
    name: "IPv6",
    client: sockets6,
    backend: sockets6,
    service: { address: services.service6, port: 80 },
    backendAddress: addresses.backend6,
    otherBackendAddress: addresses.otherBackend6,
    seen: (endpoint) => endpoint,
  },
  {
    name: "IPv4 on IPv6 sockets",
    ...over4,
    client: sockets6,
    seen: ({ address, port }) => ({ address: `::ffff:${address}`, port }),
  },
];

interface Scene extends Family {
  readonly dataPath: DataPath;
  /** The cgroup whose processes are balanced. */
  readonly cgroup: TestCgroup;
  readonly keep: (socket: Socket) => Socket;
  /** Opens a socket in a balanced process. */
  readonly open: (protocol: Protocol) => Socket;
  /** The service's address in the client's form. */
  readonly asked: Endpoint;
  /** The service's only backend per protocol; the TCP one listens. */
  readonly backends: Readonly<Record<Protocol, Socket>>;
}

/** The ids of the two services in the reverse NAT map. */
const revNatIndex = { tcp: 1, udp: 2 } as const;

type Story = readonly [name: string, expect: PerKernel<Expectation>, play: (scene: Scene) => string, backends?: "none"];

const same = (a: Endpoint, b: Endpoint): boolean => a.address === b.address && a.port === b.port;

/** The role of an address, as the client sees it. */
function who({ seen, service, backends }: Scene, found: Endpoint): string {
  if (same(found, seen(service))) return "service";
  if (same(found, seen(backends.udp.local)) || same(found, seen(backends.tcp.local))) return "backend";
  return `${found.address} port ${found.port}`;
}

/** Makes a request and a reply; returns the text and the source that the client sees. */
function exchange(scene: Scene, client: Socket, to: Endpoint | undefined, backend = scene.backends.udp): string {
  client.send("request", to);
  backend.send("reply", backend.receive().from);
  const { text, from } = client.receive();
  return `${text} from ${who(scene, from)}`;
}

/** Without `bpf_set_retval` every refusal is EPERM. */
const refusedCall = (errno: string) => observed({ "5.10": "EPERM", [setRetval.since]: errno });

const stories: readonly Story[] = [
  [
    "TCP: a connection to the service reaches the backend, and its peer is the service",
    observed("request, reply, peer service"),
    (scene) => {
      const client = scene.open("tcp").connect(scene.asked);
      const server = scene.keep(scene.backends.tcp.accept());
      client.send("request");
      const received = server.receiveText();
      server.send("reply");
      return `${received}, ${client.receiveText()}, peer ${who(scene, client.peer)}`;
    },
  ],
  [
    "UDP, unconnected: each reply is from the service",
    observed("reply from service, reply from service"),
    (scene) => {
      const client = scene.open("udp");
      return [exchange(scene, client, scene.asked), exchange(scene, client, scene.asked)].join(", ");
    },
  ],
  [
    "UDP, connected: reply and peer are the service",
    observed("reply from service, peer service"),
    (scene) => {
      const client = scene.open("udp").connect(scene.asked);
      return `${exchange(scene, client, undefined)}, peer ${who(scene, client.peer)}`;
    },
  ],
  [
    "UDP to the backend's own address: the reply is from the backend",
    observed("reply from backend"),
    (scene) => exchange(scene, scene.open("udp"), scene.seen(scene.backends.udp.local)),
  ],
  [
    "sockets of other cgroups are not balanced",
    observed("ENETUNREACH"),
    ({ keep, client, asked }) => errorOf(() => keep(client.udp()).connect(asked)),
  ],
  [
    "a service of the initial network namespace is not balanced elsewhere",
    observed("ENETUNREACH, later reply from service"),
    (scene) => {
      const { dataPath, service, backends, open, asked } = scene;
      const set = (flags: number) =>
        dataPath.services.set(service, "udp", [endpointText(backends.udp.local)], {
          revNatIndex: revNatIndex.udp,
          flags,
        });
      set(ServiceFlag.HOST_NAMESPACE);
      const left = errorOf(() => open("udp").connect(asked));
      set(0);
      return `${left}, later ${exchange(scene, open("udp"), asked)}`;
    },
  ],
  [
    "a process is exempt while it is in a cgroup that opted out",
    observed("ENETUNREACH, later reply from service"),
    (scene) => {
      const { dataPath, cgroup, open, asked } = scene;
      const client = open("udp");
      // The balanced cgroup is one level below the root, this one two: a depth that the programs check.
      const left = withChild(cgroup, (child) => {
        dataPath.map(optOutCgroups).set(statSync(child.path, { bigint: true }).ino, 1);
        return child.inside(() => errorOf(() => client.connect(asked)));
      });
      return `${left}, later ${exchange(scene, client, asked)}`;
    },
  ],
  [
    "a service without backends refuses a TCP connect",
    refusedCall("ECONNREFUSED"),
    ({ open, asked }) => errorOf(() => open("tcp").connect(asked)),
    "none",
  ],
  [
    "a service without backends refuses a UDP connect",
    refusedCall("EHOSTUNREACH"),
    ({ open, asked }) => errorOf(() => open("udp").connect(asked)),
    "none",
  ],
  [
    "a service without backends refuses a UDP send",
    refusedCall("EHOSTUNREACH"),
    ({ open, asked }) => errorOf(() => open("udp").send("x", asked)),
    "none",
  ],
  [
    "closed sockets leave nothing behind",
    observed("20 entries, then 0"),
    (scene) => {
      const clients = Array.from({ length: 20 }, () => scene.open("udp"));
      for (const client of clients) exchange(scene, client, scene.asked);
      const before = scene.dataPath.reverseEntries().length;
      for (const client of clients) client.close();
      return `${before} entries, then ${scene.dataPath.reverseEntries().length}`;
    },
  ],
  [
    "sockets follow a service that moves",
    observed("reply from service, then reply from service"),
    (scene) => {
      const client = scene.open("udp");
      const before = exchange(scene, client, scene.asked);
      const other = scene.keep(scene.backend.udp().bind(scene.otherBackendAddress));
      scene.dataPath.setService(scene.service, "udp", [endpointText(other.local)], revNatIndex.udp);
      return `${before}, then ${exchange(scene, client, scene.asked, other)}`;
    },
  ],
];

function storyCase(family: Family, [name, expect, play, without]: Story): Case {
  return {
    name: `end to end/${family.name}: ${name}`,
    expect,
    run: () =>
      withDataPath((dataPath, cgroup) =>
        withSockets((keep) => {
          const backends = {
            tcp: keep(family.backend.tcp().bind(family.backendAddress).listen()),
            udp: keep(family.backend.udp().bind(family.backendAddress)),
          };
          for (const protocol of ["tcp", "udp"] as const) {
            dataPath.setService(
              family.service,
              protocol,
              without === "none" ? [] : [endpointText(backends[protocol].local)],
              revNatIndex[protocol],
            );
          }
          const open = (protocol: Protocol) => keep(cgroup.inside(family.client[protocol]));
          return {
            kind: "observed",
            value: play({ ...family, dataPath, cgroup, keep, open, asked: family.seen(family.service), backends }),
          };
        }),
      ),
  };
}

export const endToEnd: readonly Case[] = families.flatMap((family) => stories.map((story) => storyCase(family, story)));
