/** Node ports and host ports, which the kernel must not choose for other sockets. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as assert from "uvu/assert";
import { findPython } from "../../programs/testing/python.ts";
import { encode, exit, mov, r0 } from "../asm/index.ts";
import { createLink, inNetworkNamespace, loadProgram, openDirectory } from "../kernel/index.ts";
import { runIn, toolSuite, TSX } from "../testing/index.ts";
import { AttachType, ProgramType } from "../types/index.ts";
import { unloadLoadBalancer } from "./index.ts";
import { withLoaded, type Loaded } from "./testing/loaded.ts";

const test = toolSuite("reserved ports", ["python3"], { kernel: true });

const CLI = fileURLToPath(new URL("../cli/tsbpf.ts", import.meta.url));
const SETTINGS = "/proc/sys/net/ipv4";
/** Twenty ports, so that each is chosen often. */
const RANGE = "40000 40019";
/** Somebody else's. */
const OTHERS = "40003,50000-50002";

const inside = <T>({ place }: Loaded, work: () => T): T =>
  inNetworkNamespace(`/run/netns/${place.networkNamespace}`, work);
const reserved = (loaded: Loaded): string =>
  inside(loaded, () => readFileSync(`${SETTINGS}/ip_local_reserved_ports`, "utf8").trim());

/** Binds sockets of both families and protocols to port 0, and counts what came of it. */
const BINDS = `
import collections, errno, json, socket
outcomes = collections.Counter()
for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"), (socket.AF_INET6, "::")):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        for _ in range(500):
            with socket.socket(family, kind) as handle:
                try:
                    handle.bind((address, 0))
                    outcomes["bound"] += 1
                except OSError as error:
                    outcomes[errno.errorcode[error.errno]] += 1
print(json.dumps(outcomes))
`;
const bindMany = async ({ place }: Loaded): Promise<Readonly<Record<string, number>>> =>
  JSON.parse((await runIn(place, findPython()!, "-c", BINDS)).stdout) as Record<string, number>;

const nodePorts = (...ports: readonly number[]) => ({
  services: ports.flatMap((nodePort) =>
    ["tcp", "udp"].flatMap((protocol) =>
      ["20.0.0.1:80", "[fd00::2]:80"].map((backend) => ({
        name: `${protocol} ${nodePort} ${backend}`,
        nodePort,
        protocol,
        backends: [backend],
      })),
    ),
  ),
});

const withNarrowRange = (work: (loaded: Loaded) => Promise<void>) =>
  withLoaded(["20.0.0.1", "fd00::2"], {}, async (loaded) => {
    inside(loaded, () => {
      writeFileSync(`${SETTINGS}/ip_local_port_range`, RANGE);
      writeFileSync(`${SETTINGS}/ip_local_reserved_ports`, OTHERS);
    });
    await work(loaded);
  });

test("bind to port 0 never meets a node port: they are reserved while they are loaded", () =>
  withNarrowRange(async (loaded) => {
    const { load, pins } = loaded;
    assert.is((await load(nodePorts(40_001, 40_002))).unreservedPorts, undefined);
    assert.is(reserved(loaded), "40001-40003,50000-50002");
    assert.equal(await bindMany(loaded), { bound: 3000 });
    inside(loaded, () => writeFileSync(`${SETTINGS}/ip_local_reserved_ports`, OTHERS));
    assert.ok((await bindMany(loaded)).bound! < 3000, "without, some binds fail");

    // Port 40003 is somebody else's, and stays.
    await load(nodePorts(40_002, 40_003, 40_007));
    assert.is(reserved(loaded), "40002-40003,40007,50000-50002");
    const host = { name: "host", protocol: "udp", hostPort: 40_009, backends: ["20.0.0.1:80"] };
    await load({ services: [host] });
    assert.is(reserved(loaded), "40003,40009,50000-50002");

    // A reservation that another process overwrites is restored, and ports that it adds stay.
    inside(loaded, () => writeFileSync(`${SETTINGS}/ip_local_reserved_ports`, "50000-50002,60000"));
    await load({ services: [host] });
    assert.is(reserved(loaded), "40009,50000-50002,60000");
    await unloadLoadBalancer(pins);
    assert.is(reserved(loaded), "50000-50002,60000");
  }));

test("a load that fails reserves nothing, and one that changes nothing keeps what is reserved", () =>
  withNarrowRange(async (loaded) => {
    const { load, place, pins } = loaded;
    const target = openDirectory(place.cgroup);
    const code = encode([mov(r0, 1), exit()]);
    const expectedAttachType = AttachType.CGROUP_INET4_CONNECT;
    const { fd: program } = loadProgram({
      name: "full",
      type: ProgramType.CGROUP_SOCK_ADDR,
      expectedAttachType,
      code,
      license: "GPL",
    });
    // A hook of a cgroup takes 64 programs: connect4 is attached last, after the ports were reserved.
    const links = Array.from({ length: 64 }, () => createLink({ program, target, attachType: expectedAttachType }));
    try {
      const failure = await load(nodePorts(40_001)).then(
        () => "none",
        (error: unknown) => (error as Error).message,
      );
      assert.match(failure, "BPF_LINK_CREATE failed with E2BIG");
    } finally {
      for (const fd of [...links, program, target]) fd.close();
    }
    assert.is(reserved(loaded), OTHERS);
    assert.not.ok(existsSync(pins));
    await load(nodePorts(40_001));
    await load(nodePorts(40_001));
    assert.is(reserved(loaded), "40001,40003,50000-50002");
  }));

test("load warns of ports that it cannot reserve", () =>
  withNarrowRange(async (loaded) => {
    const { place, pins } = loaded;
    const directory = mkdtempSync(join(tmpdir(), "tsbpf-test-"));
    try {
      const config = join(directory, "services.yaml");
      writeFileSync(config, JSON.stringify(nodePorts(40_001)));
      const { status, stderr } = await runIn(
        { networkNamespace: place.networkNamespace },
        "unshare",
        "--mount",
        "sh",
        "-c",
        'mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys && exec "$@"',
        "sh",
        process.execPath,
        ...TSX,
        CLI,
        "load",
        ...["--config", config, "--cgroup", place.cgroup, "--pin", pins],
      );
      assert.is(status, 0, stderr);
      assert.match(stderr, /^warning: cannot reserve ports 40001: EROFS: read-only file system/m);
      assert.match(stderr, /^hint: bind\(2\) to port 0 fails/m);
      assert.is(reserved(loaded), OTHERS);
    } finally {
      rmSync(directory, { recursive: true });
    }
  }));

test.run();
