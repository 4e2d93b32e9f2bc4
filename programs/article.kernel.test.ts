/** The article's two stories with its own clients, curl and a plain UDP socket. Needs only Node and curl. */
import { once } from "node:events";
import { createInterface } from "node:readline";
import * as assert from "uvu/assert";
import { kernelSuite, runScriptIn, startIn, toolSuite, type Place } from "../src/testing/index.ts";
import { BACKENDS, deployByBpftool, endpoint, SERVICE, withDataPath, type DataPathSetup } from "./testing/index.ts";

/** The same stories with programs loaded by our loader, and by bpftool from an object file. */
const ways: readonly (readonly [test: ReturnType<typeof kernelSuite>, setup: DataPathSetup])[] = [
  [kernelSuite("data path: the article's stories"), {}],
  [
    toolSuite("data path: the article's stories, with an object file loaded by bpftool", ["bpftool"], {
      kernel: true,
    }),
    { deploy: deployByBpftool },
  ],
];
const curlTest = toolSuite("data path: the article's story with curl", ["curl"], { kernel: true });
const url = `http://${SERVICE.address}/`;

/** A script that connects to the service `times` times in turn and prints the answers. */
const connectOften = (times: number) => `
  import { get } from "node:http";
  const answers = [];
  for (let i = 0; i < ${times}; i++) {
    answers.push(await new Promise((resolve, reject) => {
      get("${url}", { agent: false }, (response) => {
        response.setEncoding("utf8").on("data", resolve);
      }).on("error", reject);
    }));
  }
  console.log(JSON.stringify(answers));
`;

curlTest("TCP: curl gets its page, and reports a connection to a backend", async () => {
  await withDataPath({}, async (dataPath) => {
    const before = await dataPath.run("curl", "--silent", "--max-time", "5", url);
    assert.is.not(before.status, 0, "no interface has this address");
    dataPath.setService(SERVICE, "tcp", BACKENDS);
    const { status, stdout, stderr } = await dataPath.run("curl", "--silent", "--verbose", "--max-time", "5", url);
    assert.is(status, 0, stderr);
    assert.ok(BACKENDS.includes(stdout as (typeof BACKENDS)[number]), stdout);
    assert.match(stderr, new RegExp(`Trying ${SERVICE.address}`));
    assert.match(stderr, /Connected to (100\.0\.0\.1 \()?20\.0\.0\.[12]/);
  });
});

/** A script with a UDP socket: each line of standard input is a command. */
const udpClient = `
  import { createSocket } from "node:dgram";
  import { once } from "node:events";
  import { createInterface } from "node:readline";
  const socket = createSocket("udp4");
  for await (const line of createInterface({ input: process.stdin })) {
    if (line === "send") {
      socket.send("hello", ${SERVICE.port}, "${SERVICE.address}");
      const [message, { address, port }] = await once(socket, "message");
      console.log(JSON.stringify({ text: String(message), source: address + ":" + port }));
    } else {
      socket.close();
      await once(socket, "close");
      console.log("closed");
    }
  }
`;

function startUdpClient(place: Place): { say: (line: string) => Promise<string>; end: () => void } {
  const child = startIn(place, process.execPath, "--input-type=module", "--eval", udpClient);
  const lines = createInterface({ input: child.stdout! });
  return {
    async say(line) {
      child.stdin!.write(`${line}\n`);
      const [answer] = (await Promise.race([
        once(lines, "line"),
        once(child, "exit").then(() => ["the client ended"]),
      ])) as [string];
      return answer;
    },
    end: () => void child.kill("SIGKILL"),
  };
}

for (const [test, setup] of ways) {
  test("TCP: a connection to the service reaches one of its backends, at random", async () => {
    await withDataPath(setup, async (dataPath) => {
      dataPath.setService(SERVICE, "tcp", BACKENDS);
      const answers = await runScriptIn<string[]>(dataPath.place, connectOften(40));
      // 40 choices are all the same once in 2^39 runs.
      assert.equal([...new Set(answers)].sort(), BACKENDS);
    });
  });

  test("UDP, step by step: backend selected, reverse entry written, reply translated, entry deleted", async () => {
    await withDataPath(setup, async (dataPath) => {
      dataPath.setService(SERVICE, "udp", BACKENDS, 7);
      const client = startUdpClient(dataPath.place);
      try {
        assert.equal(dataPath.reverseEntries(), []);
        const answer = JSON.parse(await client.say("send")) as { text: string; source: string };
        assert.ok(BACKENDS.includes(answer.text as (typeof BACKENDS)[number]), answer.text);
        assert.is(answer.source, `${SERVICE.address}:${SERVICE.port}`);

        const entries = [...dataPath.reverse];
        assert.is(entries.length, 1);
        const [{ cookie, ...backend }, service] = entries[0]!;
        assert.ok(cookie > 0n);
        assert.equal(backend, endpoint(answer.text));
        assert.equal(service, { ...SERVICE, revNatIndex: 7 });

        assert.equal(JSON.parse(await client.say("send")), answer, "the socket stays with its backend");
        assert.equal([...dataPath.reverse], entries);

        assert.is(await client.say("close"), "closed");
        assert.equal(dataPath.reverseEntries(), []);
      } finally {
        client.end();
      }
    });
  });
}

for (const [test] of ways) test.run();
curlTest.run();
