/** The quickstart as a newcomer runs it: load, demo, and the command that load prints. */
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import * as assert from "uvu/assert";
import { OWNER } from "../lb/index.ts";
import { kernelSuite, runIn, startIn, TSX, withCgroup, withNetworkNamespace, withPins } from "../testing/index.ts";

const test = kernelSuite("tsbpf demo");

const tsbpf = [process.execPath, ...TSX, fileURLToPath(new URL("tsbpf.ts", import.meta.url))] as const;

const askOverUdp = `
  const socket = require("dgram").createSocket("udp4");
  socket.on("message", (data, { address, port }) => {
    console.log(\`\${data}from \${address}:\${port}\`);
    socket.close();
  });
  socket.send("hello", 80, "127.20.0.1");`;

test("the command that load prints reaches a backend; Ctrl-C stops the backends", () =>
  withCgroup((cgroup) =>
    withPins(OWNER, (pins) =>
      withNetworkNamespace([], async (networkNamespace) => {
        const loaded = await runIn({ networkNamespace }, ...tsbpf, "load", "--cgroup", cgroup, "--pin", pins);
        assert.match(loaded.stdout, /^Run its backends in another terminal: npx tsbpf demo$/m, loaded.stderr);
        const [, line] = /^Try: (.*)$/m.exec(loaded.stdout) ?? [];

        const demo = startIn({ networkNamespace }, ...tsbpf, "demo");
        const ended = once(demo, "exit");
        for await (const text of createInterface({ input: demo.stdout! })) if (text.startsWith("Running")) break;

        const answer = await runIn({ networkNamespace }, "sh", "-c", line!);
        assert.match(answer.stdout, /^hello from 127\.20\.0\.1[12]:8080\n$/, answer.stderr);
        const { stdout } = await runIn({ networkNamespace, cgroup }, process.execPath, "--eval", askOverUdp);
        assert.match(stdout, /^hello from 127\.20\.0\.1[12]:8080\nfrom 127\.20\.0\.1:80\n$/, "over UDP");

        const second = await runIn({ networkNamespace }, ...tsbpf, "demo");
        assert.is(second.status, 1);
        assert.match(second.stderr, /^error: cannot run the backends: .*127\.20\.0\.11:8080\nhint: /);

        demo.kill("SIGINT");
        assert.equal(await ended, [0, null]);
      }),
    ),
  ));

test.run();
