/** Threads that share a UDP socket: each answer comes from its service while other threads send to others. */
import * as assert from "uvu/assert";
import { findPython } from "./testing/python.ts";
import { dataPathSuite, SERVICE, SERVICE6 } from "./testing/index.ts";

const MOST = 40;
const REQUESTS = 4_000;

/** Two threads send to `count` ports from `first` on, two read. Prints the numbers of answers and of wrong ones. */
const script = `
import socket, sys, threading
family, address, first, count, requests = int(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:])
s = socket.socket(socket.AF_INET6 if family == 6 else socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(0.5)
room = threading.Semaphore(100)
came, wrong = [0, 0], [0, 0]
def send(part):
    for i in range(requests // 2):
        room.acquire(timeout=0.5)
        s.sendto(b"hello", (address, first + (i * 7 + part * 3) % count))
def receive(part):
    while True:
        try: text, source = s.recvfrom(99)
        except OSError: return
        room.release()
        came[part] += 1
        expected = int(text.decode().rsplit(":", 1)[1]) - 8001 + first
        if source[1] != expected or source[0] != address: wrong[part] += 1
threads = [threading.Thread(target=work, args=(part,)) for work in (send, receive) for part in (0, 1)]
for t in threads: t.start()
for t in threads: t.join()
print(sum(came), sum(wrong))
`;

const kinds = [
  { name: "IPv4", family: 4, service: SERVICE, host: "20.0.0.1", prefix: "" },
  { name: "IPv4 mapped", family: 6, service: SERVICE, host: "20.0.0.1", prefix: "::ffff:" },
  { name: "IPv6", family: 6, service: SERVICE6, host: "[fd00:20::1]", prefix: "" },
] as const;

for (const recentInReverseMap of [true, false]) {
  const entries = recentInReverseMap ? "all" : "older";
  const test = dataPathSuite(`data path: threads that share a socket, reverse entries ${entries}`, {
    options: { ipv6: true, recentInReverseMap },
    backends: {
      udp: ["20.0.0.1", "[fd00:20::1]"].flatMap((host) =>
        Array.from({ length: MOST }, (_, i) => `${host}:${8001 + i}`),
      ),
    },
  });

  for (const { name, family, service, host, prefix } of kinds) {
    for (const count of [6, 20, MOST]) {
      test(`${name}: ${count} services`, async ({ dataPath }) => {
        for (let i = 0; i < count; i++)
          dataPath.setService({ ...service, port: 1000 + i }, "udp", [`${host}:${8001 + i}`], 1 + i);
        const parameters = [family, `${prefix}${service.address}`, 1000, count, REQUESTS].map(String);
        const { stdout, stderr } = await dataPath.run(findPython()!, "-c", script, ...parameters);
        const [came, wrong] = stdout.split(" ").map(Number) as [number, number];
        assert.ok(came > REQUESTS / 2, `${came} answers: ${stderr}`);
        assert.is(wrong, 0, `of ${came} answers ${wrong} come from elsewhere`);
        assert.equal(dataPath.reverseEntries(), []);
      });
    }
  }

  test.run();
}
