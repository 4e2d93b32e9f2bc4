import * as assert from "uvu/assert";
import { kernelSuite, runIn, withCgroup, withNetworkNamespace, TSX } from "../../testing/index.ts";

const test = kernelSuite("network namespaces of this host");

/** Reads namespaces in a child process, because a program may be attached to its cgroup. */
async function readIn(
  cgroup: string,
  askKernel: string,
  ...paths: readonly string[]
): Promise<{ cookies: string[]; all: string[]; addresses: string[] }> {
  const script = `
    const { NamespaceReader } = await import(${JSON.stringify(new URL("./namespaces.ts", import.meta.url))});
    const reader = new NamespaceReader(${askKernel});
    const cookies = [undefined, ...process.argv.slice(1)].map((path) => String(reader.cookie(path)));
    const all = reader.readAll();
    console.log(JSON.stringify({
      cookies, all: all.map(({ cookie }) => String(cookie)).sort(),
      addresses: all.find(({ cookie }) => String(cookie) === cookies.at(-1)).addresses,
    }));
    reader.close();
  `;
  const { status, stdout, stderr } = await runIn(
    { cgroup },
    process.execPath,
    ...TSX,
    "--input-type=module",
    "--eval",
    script,
    ...paths,
  );
  assert.is(status, 0, stderr);
  return JSON.parse(stdout) as Awaited<ReturnType<typeof readIn>>;
}

test("each has its addresses and a cookie, the same from a program and from the kernel", () =>
  withCgroup((cgroup) =>
    withNetworkNamespace(["192.0.2.7"], (first) =>
      withNetworkNamespace(["192.0.2.8", "fd00::8"], async (second) => {
        const paths = [first, second].map((name) => `/run/netns/${name}`);
        const told = await readIn(cgroup, "", ...paths);
        assert.is(new Set(told.cookies).size, 3);
        for (const cookie of told.cookies) assert.ok(told.all.includes(cookie));
        assert.equal(told.addresses.sort(), ["127.0.0.1", "192.0.2.8", "::1", "fd00::8"]);
        // As on kernels before 5.14.
        const seen = await readIn(cgroup, "() => undefined", ...paths);
        assert.equal(seen.cookies, told.cookies);
        assert.equal(seen.addresses.sort(), told.addresses);
      }),
    ),
  ));

test("a missing or wrong file is an error, and this process stays in its namespace", () =>
  withCgroup(async (cgroup) => {
    const script = `
    const { NamespaceReader } = await import(${JSON.stringify(new URL("./namespaces.ts", import.meta.url))});
    const reader = new NamespaceReader();
    const before = reader.cookie();
    const codes = ["/run/netns/none", "/proc/self/ns/mnt", "/"].map((path) => {
      try { reader.cookie(path); } catch (error) { return error.code; }
    });
    console.log(JSON.stringify([...codes, reader.cookie() === before]));
  `;
    const { stdout, stderr } = await runIn(
      { cgroup },
      process.execPath,
      ...TSX,
      "--input-type=module",
      "--eval",
      script,
    );
    assert.equal(JSON.parse(stdout || JSON.stringify(stderr)), ["ENOENT", "EINVAL", "EINVAL", true]);
  }));

test.run();
