import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { inspect } from "node:util";
import * as assert from "uvu/assert";
import { encode, exit, mov, r0 } from "../asm/index.ts";
import {
  loadBalancerStatus,
  openPinnedMap,
  OWNER,
  parseConfig,
  unloadLoadBalancer,
  type ApplyResult,
  type Status,
} from "../lb/index.ts";
import {
  createLink,
  enableStatistics,
  loadProgram,
  objectIds,
  openDirectory,
  openPinned,
  pinObject,
  type ObjectKind,
} from "../kernel/index.ts";
import { cgroupRoot } from "../loader/index.ts";
import {
  eventually,
  kernelSuite,
  runIn,
  startIn,
  withCgroup,
  withNetworkNamespace,
  withPins,
  TSX,
  type Outcome,
} from "../testing/index.ts";
import { AttachType, ProgramType } from "../types/index.ts";
import { loadOnce, type LoadRequest } from "../lb/testing/load.ts";
import { reverseEntries } from "../lb/testing/reverse-entries.ts";

const test = kernelSuite("command: load, status, map, unload");

const CLI = fileURLToPath(new URL("tsbpf.ts", import.meta.url));
const BACKENDS = ["20.0.0.1", "20.0.0.2", "20.0.0.3"];

const tsbpf = (...args: readonly string[]): Promise<Outcome> => runIn({}, process.execPath, ...TSX, CLI, ...args);

/** Runs the command and expects success. */
async function done(...args: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await tsbpf(...args);
  assert.is(status, 0, `tsbpf ${args.join(" ")}: ${stderr}`);
  return stdout;
}

interface Places {
  readonly cgroup: string;
  readonly pins: string;
  /** Writes a configuration file and returns its path. */
  readonly config: (text: string) => string;
}

/** Provides a cgroup, a pin directory and configuration files for one load balancer. */
async function withPlaces(work: (places: Places) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "tsbpf-test-"));
  let made = 0;
  const config = (text: string) => {
    const file = join(directory, `${made++}.yaml`);
    writeFileSync(file, text);
    return file;
  };
  try {
    await withCgroup((cgroup) => withPins(OWNER, (pins) => work({ cgroup, pins, config })));
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** Small maps, since all tests share this machine's memory. */
const SIZES =
  "maps: { services: 64, slots: 256, backends: 256, cilium_lb4_reverse_sk: 1024, " +
  "services6: 64, slots6: 256, backends6: 256, cilium_lb6_reverse_sk: 1024 }";

const bothProtocols = (backends: readonly string[]) => {
  const list = backends.map((address) => `"${address}:80"`).join(", ");
  const services = ["tcp", "udp"].map(
    (protocol) =>
      `  - { name: web-${protocol}, address: 100.0.0.1, port: 80, protocol: ${protocol}, backends: [${list}] }`,
  );
  return `services:\n${services.join("\n")}\n${SIZES}\n`;
};

/** Loads both services without the command, whose start takes longer than the load. */
const load = (
  backends: readonly string[],
  { cgroup, pins }: { cgroup: string; pins: string },
  more = "",
): Promise<ApplyResult> => loadOnce({ config: parseConfig(bothProtocols(backends) + more, "test"), cgroup, pins });

/** Other options than the default: other programs. */
const COUNTING = "options: { metrics: true }\n";

test("loads, balances without a running process, shows its state, and leaves nothing behind", () =>
  withPlaces(async ({ cgroup, pins, config }) => {
    const { status } = JSON.parse(
      await done("load", "--json", "--config", config(bothProtocols(BACKENDS)), "--cgroup", cgroup, "--pin", pins),
    ) as { status: Status };
    assert.equal(
      status.programs.map(({ hook }) => hook),
      [
        "connect4",
        "connect6",
        "sendmsg4",
        "sendmsg6",
        "recvmsg4",
        "recvmsg6",
        "getpeername4",
        "getpeername6",
        "sock_release",
      ].map((hook) => `cgroup/${hook}`),
    );
    for (const program of status.programs) {
      assert.is(program.cgroup, cgroup);
      assert.ok(program.instructions > 0 && program.linkId > 0);
    }

    await withTraffic({ cgroup }, async (traffic) => {
      using _statistics = enableStatistics();
      await traffic.allow(BACKENDS);
      const { maps, services, programs } = loadBalancerStatus(pins)!;
      const [ipv4, ipv6] = reverseEntries({ maps });
      assert.ok(ipv4! > 0 && ipv6 === 0);
      for (const { name, runs } of programs.filter((program) =>
        ["connect4", "sendmsg4", "recvmsg4", "sock_release"].includes(program.name),
      )) {
        assert.ok(runs !== undefined && Number(runs.count) > 0 && runs.meanNs > 1, `${name}: ${runs?.count} runs`);
      }
      assert.equal(
        services.map(({ name, backends }) => [name, backends.length]),
        [
          ["web-tcp", 3],
          ["web-udp", 3],
        ],
      );
      const reverse = JSON.parse(await done("map", "dump", "cilium_lb4_reverse_sk", "--json", "--pin", pins)) as {
        key: { port: number };
        value: unknown;
      }[];
      assert.ok(reverse.length > 0);
      assert.equal((await traffic.result()).wrong, []);
      assert.equal(reverse.find(({ key }) => key.port === 80)!.value, {
        address: "100.0.0.1",
        port: 80,
        revNatIndex: 2,
      });
    });
    await eventually(() => assert.is(reverseEntries(loadBalancerStatus(pins)!)[0], 0));
    const text = await done("status", "--pin", pins);
    assert.match(text, /^connect4 +cgroup\/connect4 /m);
    assert.match(text, /^web-tcp +100\.0\.0\.1:80 +tcp +20\.0\.0\.1:80, 20\.0\.0\.2:80, 20\.0\.0\.3:80$/m);
    assert.match(text, /^cilium_lb4_reverse_sk +lru_hash +0 +1,024 +0%$/m);
    assert.match(
      await done("map", "dump", "services", "--pin", pins),
      new RegExp(
        String.raw`^address=100\.0\.0\.1 port=80 protocol=6 scope=0: ` +
          String.raw`key=.* revNatIndex=1 flags=0 affinityTimeout=0 range=\{"base":0,"count":3\}$`,
        "m",
      ),
    );
    assert.match(await done("map", "list", "--pin", pins), /^services +hash +struct \w+ +struct \w+ +2 +64 +3%$/m);

    const ours: Record<string, readonly number[]> = {
      program: status.programs.map(({ id }) => id),
      link: status.programs.map(({ linkId }) => linkId),
      map: status.maps.map(({ id }) => id),
    };
    for (const [kind, ids] of Object.entries(ours)) {
      const there = objectIds(kind as ObjectKind);
      assert.ok(ids.every((id) => there.includes(id)));
    }
    assert.match(await done("unload", "--pin", pins), "Unloaded");
    await eventually(() => {
      for (const [kind, ids] of Object.entries(ours))
        assert.equal(
          objectIds(kind as ObjectKind).filter((id) => ids.includes(id)),
          [],
          `${kind}s are left`,
        );
    });
    assert.not.ok(readdirSync("/sys/fs/bpf").includes(pins.slice("/sys/fs/bpf/".length)));
    const after = await tsbpf("status", "--pin", pins);
    assert.is(after.status, 1);
    assert.match(after.stderr, `error: nothing is loaded: there are no pins at ${pins}\nhint: `);
    assert.is(await unloadLoadBalancer(pins), undefined);
  }));

test("a reload under traffic loses no request, and sends none to a removed backend", () =>
  withPlaces(async ({ cgroup, pins }) => {
    const sets = [BACKENDS, ["20.0.0.1"], ["20.0.0.2", "20.0.0.3"], ["20.0.0.3"], ["20.0.0.1", "20.0.0.2"]];
    await load(sets.at(-1)!, { cgroup, pins });
    await withTraffic({ cgroup }, async (traffic) => {
      await traffic.allow(sets.at(-1)!);
      for (const [i, backends] of sets.entries()) {
        // Every other load needs other programs than the one before.
        const { programs, services } = await load(backends, { cgroup, pins }, i % 4 < 2 ? COUNTING : "");
        assert.is(programs, i % 2 === 0 ? "replaced" : "kept");
        assert.is(services.changed, 2);
        await traffic.allow(backends);
      }
      const { requests, wrong } = await traffic.result();
      assert.equal(wrong, []);
      assert.ok(requests > 100, `only ${requests} requests`);
    });
  }));

test("killing a loader does not interrupt traffic, and the next load finishes its work", () =>
  withPlaces(async ({ cgroup, pins }) => {
    await load(["20.0.0.1"], { cgroup, pins });
    await withTraffic({ cgroup }, async (traffic) => {
      await traffic.allow(BACKENDS);
      for (const milliseconds of [30, 90, 180]) {
        const child = startIn(
          {},
          process.execPath,
          ...TSX,
          "--input-type=module",
          "--eval",
          endlessLoads,
          bothProtocols(["20.0.0.1"]),
          bothProtocols(BACKENDS) + COUNTING,
          cgroup,
          pins,
        );
        const ended = new Promise((resolve) => child.on("close", resolve));
        const loading = new Promise<boolean>((resolve) => child.stdout!.once("data", () => resolve(true)));
        assert.ok(await Promise.race([loading, ended.then(() => false)]));
        await new Promise((resolve) => setTimeout(resolve, milliseconds));
        child.kill("SIGKILL");
        await ended;
      }
      await load(["20.0.0.2", "20.0.0.3"], { cgroup, pins });
      await traffic.allow(["20.0.0.2", "20.0.0.3"]);
      const { requests, wrong } = await traffic.result();
      assert.equal(wrong, []);
      assert.ok(requests > 100, `only ${requests} requests`);
    });
  }));

/** Loads two configurations alternately until it is killed. */
const endlessLoads = `
  const { Balancer, parseConfig } = await import(${JSON.stringify(new URL("../lb/index.ts", import.meta.url))});
  const [first, second, cgroup, pins] = process.argv.slice(1);
  const configs = [first, second].map((text) => parseConfig(text, "test"));
  for (let number = 0; ; number++) {
    await new Balancer({ cgroup, pins }).apply(configs[number % 2]);
    console.log(number);
  }
`;

test("a failed load is one line of error, and changes nothing", () =>
  withPlaces(async ({ cgroup, pins, config }) => {
    await load(["20.0.0.1"], { cgroup, pins });
    const before = snapshot(pins);
    const foreign = `${pins}-foreign`;
    mkdirSync(foreign);
    mkdirSync(join(foreign, "somebody"));
    try {
      const wanted = { config: parseConfig(bothProtocols(["20.0.0.1"]), "test"), cgroup, pins };
      const cases: readonly [request: LoadRequest, message: string, hint: string][] = [
        [
          { ...wanted, cgroup: "/nowhere" },
          "cannot open cgroup /nowhere: no such directory",
          "cgroups are directories below",
        ],
        [
          { ...wanted, cgroup: tmpdir() },
          `cannot open cgroup ${tmpdir()}: it is not in a cgroup v2 hierarchy`,
          "cgroups are",
        ],
        [
          { ...wanted, pins: foreign },
          `cannot use pin directory ${foreign}: it is used by something else: it holds somebody`,
          "choose another",
        ],
        [{ ...wanted, pins: join(tmpdir(), "pins") }, "it is not on a BPF file system", "/sys/fs/bpf"],
        [
          { ...wanted, config: parseConfig(bothProtocols([]).replace("slots: 256", "slots: 128"), "test") },
          "its max entries is 256, not 128",
          "unload",
        ],
      ];
      for (const [request, message, hint] of cases) {
        const error = await loadOnce(request).then(
          () => undefined,
          (reason: unknown) => reason as Error & { hint?: string },
        );
        assert.ok(error !== undefined && error.message.includes(message), error?.message);
        assert.match(error.hint ?? "", hint);
      }
      const bad = await tsbpf(
        "load",
        "--config",
        config(bothProtocols(["20.0.0.1:80:80"])),
        "--cgroup",
        cgroup,
        "--pin",
        pins,
      );
      assert.is(bad.status, 1);
      assert.is(bad.stdout, "");
      assert.match(
        bad.stderr,
        new RegExp(
          String.raw`^error: 2 mistakes in the configuration\n` +
            String.raw`  /.*\.yaml:2:[0-9]+: services\[0\]\.backends\[0\]: expected a backend such as [^]*` +
            String.raw`services\[1\][^]*\nhint: nothing was changed; .*\n$`,
        ),
      );
      const unload = await tsbpf("unload", "--pin", foreign);
      assert.is(unload.status, 1);
      assert.match(unload.stderr, "is used by something else");
      assert.equal(readdirSync(foreign), ["somebody"]);
      assert.is((await tsbpf("load", "--wrong")).status, 2);
      assert.equal(snapshot(pins), before);
    } finally {
      rmdirSync(join(foreign, "somebody"));
      rmdirSync(foreign);
    }
  }));

test("describes each kind of service, and reports exempt cgroups that do not exist", () =>
  withPlaces(async ({ cgroup, pins, config }) => {
    const backends = '[{ address: "20.0.0.1:80", node: here }, { address: "20.0.0.2:80", node: elsewhere }]';
    const text = `node: here
services:
  - { name: table, address: 100.0.0.1, port: 80, hostPort: 8080, hostIP: 127.0.0.1, protocol: tcp,
      algorithm: maglev, internalTrafficPolicy: local, backends: ${backends} }
  - { name: redirect, address: 100.0.0.2, port: 53, protocol: udp, localRedirect: true, backends: ${backends} }
  - { name: elsewhere, address: 100.0.0.3, port: 53, protocol: udp, localRedirect: true, backends: ["20.0.0.1:53"] }
options: { maglevTableSize: 251 }
${SIZES.replace("slots: 256", "slots: 1024")}
`;
    const loaded = await done("load", "--config", config(text), "--cgroup", cgroup, "--pin", pins);
    assert.match(
      loaded,
      new RegExp(
        String.raw`^table +127\.0\.0\.1:8080, 0\.0\.0\.0:8080 +tcp +` +
          String.raw`20\.0\.0\.[12]:80, 20\.0\.0\.[12]:80; chosen by the client's address$`,
        "m",
      ),
    );
    assert.match(
      loaded,
      /^table +100\.0\.0\.1:80 +tcp +20\.0\.0\.1:80; this node's only; chosen by the client's address$/m,
    );
    assert.match(loaded, /^redirect +100\.0\.0\.2:53 +udp +20\.0\.0\.1:80; redirected to this node's$/m);
    assert.match(loaded, /^Services: 2 added$/m);
    assert.match(loaded, /^Not balanced, for lack of a backend on this node: elsewhere$/m);
    const before = snapshot(pins);
    const refused = await tsbpf(
      "load",
      "--config",
      config(`${text}optOut: { cgroups: [no/such/cgroup] }\n`),
      "--cgroup",
      cgroup,
      "--pin",
      pins,
    );
    assert.is(refused.status, 1);
    assert.is(
      refused.stderr,
      "error: optOut.cgroups: no/such/cgroup does not exist\n" +
        `hint: nothing was changed; name a directory below ${cgroupRoot()}\n`,
    );
    assert.equal(snapshot(pins), before);
    assert.not.match(await done("status", "--pin", pins), "Left alone");
    await withCgroup(async (shortLived) => {
      await done(
        "load",
        "--config",
        config(`${text}optOut: { cgroups: [${basename(shortLived)}], networkNamespaces: [/proc/self/ns/net] }\n`),
        "--cgroup",
        cgroup,
        "--pin",
        pins,
      );
      assert.match(await done("status", "--pin", pins), `\nLeft alone: cgroup ${shortLived}, 1 network namespace\n`);
    });
    assert.equal(loadBalancerStatus(pins)!.optOut.cgroups, [undefined]);
    await done("load", "--config", config(text), "--cgroup", cgroup, "--pin", pins);
    const after = snapshot(pins);
    // In a cgroup namespace, where the depth of the root is unknown.
    const inside = await runIn(
      { cgroup },
      "unshare",
      "--cgroup",
      "--mount",
      "sh",
      "-c",
      'umount -l "$0" && mount -t cgroup2 cgroup2 "$0" && exec "$@"',
      cgroupRoot(),
      process.execPath,
      ...TSX,
      CLI,
      "load",
      "--config",
      config(`${text}optOut: { cgroups: [.] }\n`),
      "--pin",
      pins,
    );
    assert.is(inside.status, 1);
    assert.match(
      inside.stderr,
      "error: optOut.cgroups: cannot count cgroup levels: the root of the cgroup v2 hierarchy is not visible, " +
        `${cgroupRoot()} is a cgroup below it\nhint: `,
    );
    assert.equal(snapshot(pins), after);
  }));

test("if one program cannot be attached, everything is restored, and a first load leaves nothing behind", () =>
  withPlaces(async ({ cgroup, pins }) => {
    const backends =
      '[{ address: "20.0.0.1:80", weight: 4 }, { address: "20.0.0.2:80", weight: 6, state: terminating }, ' +
      '{ address: "20.0.0.3:80", weight: 2, state: maintenance }]';
    const services = `services:
  - { name: web-tcp, address: 100.0.0.1, port: 80, nodePort: 30080, protocol: tcp,
      affinity: { timeout: 60 }, backends: ${backends} }
  - { name: other, nodePort: 30081, protocol: udp, backends: ["20.0.0.1:80"] }
  - { name: table, address: 100.0.0.2, port: 80, hostPort: 8080, internalTrafficPolicy: local, protocol: tcp,
      algorithm: maglev, skipSelf: true,
      backends: [{ address: "192.0.2.9:80", node: here, weight: 2 }, "20.0.0.3:80"] }
node: here
options: { maglevTableSize: 251 }
`;
    const sizes = SIZES.replace("slots: 256", "slots: 2048");
    await withNetworkNamespace(["192.0.2.9"], (container) =>
      withCgroup(async (full) => {
        const optOut = `optOut: { networkNamespaces: [${container}], cgroups: [${basename(cgroup)}] }\n`;
        await loadOnce({ config: parseConfig(services + optOut + sizes, "test"), cgroup, pins });
        const before = { ...snapshot(pins), maps: contents(pins) };
        assert.ok(
          Object.values(before.maps).every((entries) => entries.length > 0),
          "every map has content to restore",
        );
        /** The same features with other values, and no features. */
        const others = [
          services.replace("maglevTableSize: 251", "maglevTableSize: 509").replace("192.0.2.9:80", "192.0.2.8:80") +
            optOut.replace(/cgroups: .*?]/, `cgroups: [${basename(full)}]`).replace(container, "/proc/self/ns/net") +
            sizes,
          bothProtocols(["20.0.0.3"]).replace(SIZES, sizes),
        ].map((text) => parseConfig(text, "test"));
        // The kernel allows 64 programs per hook.
        const program = loadProgram({
          name: "proceed",
          type: ProgramType.CGROUP_SOCK_ADDR,
          expectedAttachType: AttachType.CGROUP_INET4_CONNECT,
          license: "GPL",
          code: encode([mov(r0, 1), exit()]),
        }).fd;
        const target = openDirectory(full);
        const links = Array.from({ length: 64 }, () =>
          createLink({ program, target, attachType: AttachType.CGROUP_INET4_CONNECT }),
        );
        try {
          for (const place of [pins, `${pins}-first`]) {
            for (const config of others) {
              const reason = await loadOnce({ config, cgroup: full, pins: place }).then(
                () => "none",
                (error: unknown) => (error as Error).message,
              );
              assert.match(reason, "BPF_LINK_CREATE failed with E2BIG");
              assert.equal({ ...snapshot(pins), maps: contents(pins) }, before);
            }
          }
          assert.not.ok(existsSync(`${pins}-first`));
        } finally {
          for (const fd of [...links, target, program]) fd.close();
        }
      }),
    );
  }));

test("reports that the cgroup is gone, and attaches to another", () =>
  withPlaces(async ({ cgroup, pins }) => {
    await withCgroup((shortLived) => load(BACKENDS, { cgroup: shortLived, pins }));
    await eventually(() => assert.ok(loadBalancerStatus(pins)!.programs.every(({ attached }) => !attached)));
    const { status, stderr } = await tsbpf("status", "--pin", pins);
    assert.is(status, 1);
    assert.match(stderr, "pinned, but not attached: the cgroup is gone\nhint: load again");
    assert.equal((await load(BACKENDS, { cgroup, pins })).services, { added: 0, changed: 0, removed: 0, unchanged: 2 });
    assert.ok(loadBalancerStatus(pins)!.programs.every((program) => program.attached && program.cgroup === cgroup));
  }));

test("mounts the BPF file system if needed, and reports missing cgroup v2 or privileges", () =>
  withPlaces(async ({ cgroup, pins, config }) => {
    const command = [process.execPath, ...TSX, CLI, "load", "--config", config(bothProtocols([])), "--pin", pins];
    const mounted = await runIn(
      {},
      "unshare",
      "--mount",
      "sh",
      "-c",
      "while umount /sys/fs/bpf 2>/dev/null; do :; done; " +
        '"$@" && ls "$0/maps" && grep -c " /sys/fs/bpf bpf " /proc/self/mounts',
      pins,
      ...command,
      "--cgroup",
      cgroup,
    );
    assert.is(mounted.status, 0, mounted.stderr);
    assert.match(mounted.stdout, /\nservices\n[^]*\n1\n$/);
    const without = await runIn(
      {},
      "unshare",
      "--mount",
      "sh",
      "-c",
      'umount -l "$0"; exec "$@"',
      cgroupRoot(),
      ...command,
    );
    assert.is(without.status, 1);
    assert.match(
      without.stderr,
      "error: cannot find the cgroup root: no cgroup v2 hierarchy is mounted\nhint: mount one",
    );
    const powerless = await runIn(
      {},
      "setpriv",
      "--bounding-set=-all",
      "--inh-caps=-all",
      ...command,
      "--cgroup",
      cgroup,
    );
    assert.is(powerless.status, 1);
    assert.match(
      powerless.stderr,
      new RegExp(
        String.raw`error: cannot load BPF programs and look up loaded ones: ` +
          String.raw`this process is not root and lacks CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON, CAP_SYS_ADMIN\n` +
          String.raw`hint: run it as root \(sudo\), or give it CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON and CAP_SYS_ADMIN\n`,
      ),
    );
  }));

test("moves to another cgroup, and joins another load balancer, only on request", () =>
  withPlaces(({ cgroup, pins, config }) =>
    withCgroup(async (other) => {
      const file = config(bothProtocols(BACKENDS));
      const loadOn = (on: string, at: string, ...more: readonly string[]) =>
        tsbpf("load", "--json", "--config", file, "--cgroup", on, "--pin", at, ...more);
      const message = ({ status, stdout, stderr }: Outcome) => {
        assert.equal([status, stdout], [1, ""]);
        const { error } = JSON.parse(stderr) as { error: { message: string; hint: string } };
        return [error.message, error.hint];
      };
      assert.is((await loadOn(cgroup, pins)).status, 0);
      const before = snapshot(pins);
      assert.equal(message(await loadOn(other, pins)), [
        `cannot load on cgroup ${other}: the load balancer pinned at ${pins} is attached to ${cgroup}`,
        "move it with --move, or load a second one with --pin and another directory",
      ]);
      assert.equal(snapshot(pins), before);
      assert.is((await loadOn(other, pins, "--move")).status, 0);
      assert.ok(loadBalancerStatus(pins)!.programs.every((program) => program.cgroup === other));
      const second = `${pins}-second`;
      try {
        const [text, hint] = message(await loadOn(other, second));
        assert.match(text!, `cannot load on cgroup ${other}: another load balancer is attached there (program `);
        assert.match(hint!, "--beside");
        assert.not(existsSync(second));
        assert.is((await loadOn(other, second, "--beside")).status, 0);
        assert.is((await loadOn(other, second)).status, 0, "what is attached already is not asked again");
        assert.ok([pins, second].every((at) => loadBalancerStatus(at)!.programs.every(({ attached }) => attached)));
      } finally {
        await unloadLoadBalancer(second, { now: true });
      }
    }),
  ));

test("leaves what others pin among its maps, removes what a killed load left, and says so", () =>
  withPlaces(async ({ cgroup, pins }) => {
    await load(BACKENDS, { cgroup, pins });
    const foreign = [join(pins, "maps/backup"), join(pins, "maps/folder")];
    const map = openPinned(join(pins, "maps/slots"));
    pinObject(map, foreign[0]!);
    mkdirSync(foreign[1]!);
    pinObject(map, join(pins, "maps/~slots"));
    map.close();
    const kept = await load(BACKENDS, { cgroup, pins });
    assert.equal([kept.programs, kept.foreignPins], ["kept", foreign]);
    assert.not(existsSync(join(pins, "maps/~slots")));
    const replaced = await load(BACKENDS, { cgroup, pins }, COUNTING);
    assert.equal([replaced.programs, replaced.foreignPins], ["replaced", foreign]);
    assert.match(await done("status", "--pin", pins), `\nNot of the load balancer, and left: ${foreign.join(", ")}\n`);
    assert.match(
      await done("unload", "--now", "--pin", pins),
      `\nNot of the load balancer, and left: ${foreign.join(", ")}\n`,
    );
    assert.equal(readdirSync(join(pins, "maps")), ["backup", "folder"]);
    assert.is((await tsbpf("status", "--pin", pins)).status, 1);
    for (const path of foreign) rmSync(path, { recursive: true });
    await unloadLoadBalancer(pins);
    assert.not(existsSync(pins));
  }));

test("loads under a profiler, whose signals interrupt the verifier", () =>
  withPlaces(async ({ cgroup, pins, config }) => {
    const profiles = mkdtempSync(join(tmpdir(), "tsbpf-test-"));
    try {
      const { status, stderr } = await runIn(
        {},
        process.execPath,
        ...["--cpu-prof", "--cpu-prof-interval", "200", "--cpu-prof-dir", profiles],
        ...[...TSX, CLI, "load", "--config", config(bothProtocols(BACKENDS)), "--cgroup", cgroup, "--pin", pins],
      );
      assert.is(status, 0, stderr);
      assert.ok(readdirSync(profiles).length > 0, "it was profiled");
    } finally {
      rmSync(profiles, { recursive: true });
    }
  }));

/** State that a failed load must not change. */
function snapshot(pins: string) {
  const { services, programs } = loadBalancerStatus(pins)!;
  return { services, programs };
}

/**
 * The map contents as programs see them: services with their slots in order, independent of position, and the
 * settings for exemption and Maglev.
 */
function contents(pins: string): Record<string, string[]> {
  const entries = <K, V>(name: string) => {
    using map = openPinnedMap(pins, name);
    return [...map.elements({ zeroes: true })] as [K, V][];
  };
  const slots = new Map(entries<number, { address: string; port: number }>("slots"));
  const plain = ["sources", "skip_lb4", "opt_out_netns", "opt_out_cgroups"].map(
    (name) =>
      [
        name,
        entries(name)
          .map((entry) => inspect(entry))
          .sort(),
      ] as const,
  );
  const services = entries<
    unknown,
    { range: { base: number; count: number }; flags: number; affinityTimeout: number; revNatIndex: number }
  >("services").map(
    ([
      key,
      {
        range: { base, count },
        ...value
      },
    ]) => inspect([key, value, Array.from({ length: count }, (_, i) => slots.get(base + i)!.address).join(" ")]),
  );
  return Object.fromEntries([["services", services.sort()], ...plain]);
}

/** A client that queries the service continuously. */
interface Traffic {
  /** From now on only these backends may answer new requests; earlier requests may still get answers from others. */
  allow(backends: readonly string[]): Promise<void>;
  /** Ends the traffic. */
  result(): Promise<{ readonly requests: number; readonly wrong: readonly string[] }>;
}

/** Starts servers at all backend addresses, and clients of the service, in the cgroup and a new network namespace. */
async function withTraffic(
  place: { readonly cgroup: string },
  work: (traffic: Traffic) => Promise<void>,
): Promise<void> {
  await withNetworkNamespace(BACKENDS, async (networkNamespace) => {
    const child = startIn(
      { ...place, networkNamespace },
      process.execPath,
      "--input-type=module",
      "--eval",
      trafficScript,
      ...BACKENDS,
    );
    const ended = new Promise((resolve) => child.on("close", resolve));
    let errors = "";
    child.stderr!.on("data", (text) => (errors += String(text)));
    const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
    const ask = async (question: unknown): Promise<unknown> => {
      child.stdin!.write(`${JSON.stringify(question)}\n`);
      const { value, done } = await lines.next();
      if (done) throw new Error(`the traffic ended: ${errors}`);
      return JSON.parse(String(value)) as unknown;
    };
    try {
      await work({
        allow: async (backends) => void (await ask({ allow: backends })),
        result: async () => (await ask({ end: true })) as { requests: number; wrong: string[] },
      });
    } finally {
      child.kill("SIGKILL");
      await ended;
    }
  });
}

/**
 * Sends requests in turn over TCP, a long-lived unconnected UDP socket, a fresh unconnected one, and a fresh
 * connected one. Each server answers with its address.
 */
const trafficScript = String.raw`
  import dgram from "node:dgram";
  import net from "node:net";
  import { createInterface } from "node:readline";

  const SERVICE = { address: "100.0.0.1", port: 80 };
  for (const address of process.argv.slice(1)) {
    const tcp = net.createServer((socket) => socket.on("error", () => {}).end(address));
    await new Promise((listening) => tcp.listen(80, address, listening));
    const server = dgram.createSocket("udp4");
    server.on("message", (question, from) => server.send(question + " " + address, from.port, from.address));
    await new Promise((listening) => server.bind(80, address, listening));
  }

  const epochs = [];
  const answers = [];
  const wrong = [];
  const timeout = () => new Promise((_, fail) => setTimeout(() => fail(new Error("no answer")), 2000));
  const within = (promise) => Promise.race([promise, timeout()]);

  const overTcp = () => new Promise((resolve, reject) => {
    let text = "";
    const socket = net.connect(SERVICE.port, SERVICE.address);
    socket.on("data", (data) => (text += data)).on("end", () => resolve(text)).on("error", reject);
  });
  let number = 0;
  const overUdp = (socket, connected) => new Promise((resolve, reject) => {
    const question = String(number++);
    const listener = (answer, from) => {
      const [asked, address] = String(answer).split(" ");
      if (asked !== question) return;
      socket.off("message", listener);
      if (from.address === SERVICE.address && from.port === SERVICE.port) resolve(address);
      else reject(new Error("answer from " + from.address + ":" + from.port));
    };
    socket.on("message", listener).on("error", reject);
    if (connected) socket.send(question);
    else socket.send(question, SERVICE.port, SERVICE.address);
  });
  const lasting = dgram.createSocket("udp4");
  const overFresh = async () => {
    const socket = dgram.createSocket("udp4");
    try { return await overUdp(socket, false); } finally { socket.close(); }
  };
  const overConnected = async () => {
    const socket = dgram.createSocket("udp4");
    await new Promise((connected, fail) => socket.on("error", fail).connect(SERVICE.port, SERVICE.address, connected));
    try { return await overUdp(socket, true); } finally { socket.close(); }
  };
  const ways = {
    tcp: overTcp,
    "lasting UDP": () => overUdp(lasting, false),
    "fresh UDP": overFresh,
    "connected UDP": overConnected,
  };

  let going = true;
  const all = (async () => {
    while (going) {
      for (const [way, ask] of Object.entries(ways)) {
        const start = epochs.length;
        try {
          answers.push({ way, address: await within(ask()), start, end: epochs.length });
        } catch (error) {
          wrong.push(way + ": " + error.message);
        }
      }
      await new Promise((later) => setTimeout(later, 1));
    }
    lasting.close();
  })();

  for await (const line of createInterface({ input: process.stdin })) {
    const { allow, end } = JSON.parse(line);
    if (allow) {
      epochs.push(allow);
      console.log("true");
    }
    if (end) {
      going = false;
      await all;
      // A request during a change may be answered according to the old or the new state.
      for (const { way, address, start, end } of answers) {
        const allowed = epochs.slice(Math.max(start - 1, 0), end + 1).flat();
        if (allowed.includes(address)) continue;
        wrong.push(way + ": answered by " + address + " instead of " + allowed.join(", "));
      }
      console.log(JSON.stringify({ requests: answers.length, wrong: [...new Set(wrong)] }));
    }
  }
`;

test.run();
