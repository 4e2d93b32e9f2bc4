/**
 * The features that programs and loaders need and that some kernels since 5.10 lack: their first versions and
 * probes. Each is also a case, so that a kernel that should have a feature and lacks it fails the run.
 */
import {
  atomicAdd,
  bswap32,
  call,
  exit,
  gotol,
  jeq,
  jump,
  label,
  load,
  loadAcquire,
  mayGoto,
  mov,
  movsx8,
  r0,
  r1,
  r10,
  r2,
  sdiv,
  store,
  type HelperName,
  type Item,
} from "../../src/asm/index.ts";
import { createLink } from "../../src/kernel/index.ts";
import { kernelElementCount, load as loadMaps } from "../../src/loader/index.ts";
import { AttachType, hash, MapFlag, MapType, ProgramType, u32 } from "../../src/types/index.ts";
import type { Feature, Outcome } from "./case.ts";
import { inTestCgroup, withChild, type TestCgroup } from "./cgroup.ts";
import { connect4, type Hook } from "./hooks.ts";
import { addresses } from "./network.ts";
import { outcomeOf, verdict, withMap, type MapShape } from "./load.ts";
import { Socket, withSockets } from "./socket.ts";
import { Trace } from "./trace.ts";

const proceed: readonly Item[] = [mov(r0, 1), exit()];

/** Present if the verifier accepts `items`. */
function programFeature(name: string, since: string, items: readonly Item[], hook: Hook = connect4): Feature {
  return { name, since, attempt: () => verdict(hook, items) };
}

const helperFeature = (helper: HelperName, since: string, before: readonly Item[] = []): Feature =>
  programFeature(helper, since, [...before, call(helper), ...proceed]);

function mapFeature(name: string, since: string, shape: MapShape): Feature {
  return { name, since, attempt: () => outcomeOf(() => withMap(shape, () => {})) };
}

/** Present if links can be created at all. */
const cgroupLinks: Feature = {
  name: "cgroup links",
  since: "5.7",
  attempt: () => inTestCgroup((cgroup) => outcomeOf(() => cgroup.attach(connect4, proceed))),
};

/**
 * Present if a link with these flags can be created, and its program runs first although it was attached last.
 *
 * @param below Whether the other program is attached to a child cgroup, whose programs otherwise run first.
 */
function orderFeature(name: string, since: string, flags: number, below: boolean): Feature {
  return {
    name,
    since,
    attempt: (): Promise<Outcome> =>
      inTestCgroup((cgroup) => {
        const trace = new Trace();
        cgroup.keep(trace.map);
        const attempt = (other: TestCgroup): Outcome => {
          other.attach(connect4, trace.program(2));
          const program = cgroup.load(connect4, trace.program(1));
          const outcome = outcomeOf(() =>
            cgroup.keep(createLink({ program, target: cgroup.fd, attachType: connect4.attachType, flags })),
          );
          if (outcome.kind !== "accepted") return outcome;
          withSockets((keep) => keep(other.inside(Socket.udp4)).connect({ address: addresses.backend4, port: 9 }));
          const ran = trace.take().join(" ");
          return ran === "1 2"
            ? outcome
            : { kind: "refused", errno: "none", log: `the flag is accepted, but the programs run in the order ${ran}` };
        };
        return below ? withChild(cgroup, attempt) : attempt(cgroup);
      }),
  };
}

/** A program sets the error that the caller sees. */
export const setRetval = helperFeature("bpf_set_retval", "5.18", [mov(r1, -1)]);
/** A program reads the error set by an earlier program. */
export const getRetval = helperFeature("bpf_get_retval", "5.18");
/** Atomic operations that return the old value. */
export const atomicFetch = programFeature("atomic fetch-and-add", "5.12", [
  store("u64", r10, -8, 0),
  mov(r1, 1),
  atomicAdd("u64", r10, -8, r1, { fetch: true }),
  ...proceed,
]);
/** The instruction set's version 4. */
export const signExtension = programFeature("sign-extending moves", "6.6", [mov(r1, 200), movsx8(r1, r1), ...proceed]);

/** The kernel counts the elements of its hash maps, for programs to read. */
export const elementCounts: Feature = {
  name: "the kernel's element count of a map",
  since: "6.6",
  attempt() {
    const definition = hash("counted", { key: u32, value: u32, maxEntries: 1 });
    using collection = loadMaps([], { maps: [definition] });
    const count = kernelElementCount(definition, collection.map(definition).fd);
    return count === 0
      ? { kind: "accepted" }
      : {
          kind: "refused",
          errno: "none",
          log: count === undefined ? "the kernel lacks the function" : `an empty map has a count of ${count}`,
        };
  },
};

const unixConnect: Hook = {
  name: "connect_unix",
  type: ProgramType.CGROUP_SOCK_ADDR,
  attachType: AttachType.CGROUP_UNIX_CONNECT,
};

const PAGE = 4096;
/** `BPF_F_BEFORE`, `BPF_F_PREORDER`. */
const BEFORE = 1 << 3;
const PREORDER = 1 << 6;

export const features: readonly Feature[] = [
  setRetval,
  getRetval,
  helperFeature("bpf_get_netns_cookie", "5.7", [mov(r1, 0)]),
  helperFeature("bpf_ktime_get_coarse_ns", "5.11"),
  helperFeature("bpf_ktime_get_tai_ns", "6.1"),
  atomicFetch,
  signExtension,
  programFeature("signed division", "6.6", [mov(r1, -7), mov(r2, 2), sdiv(r1, r2), ...proceed]),
  programFeature("unconditional byte swap", "6.6", [mov(r1, 1), bswap32(r1), ...proceed]),
  programFeature("jumps with 32-bit offsets", "6.6", [
    load("u32", r2, r1, 24),
    jeq(r2, 0, "between"),
    gotol("on"),
    label("between"),
    mov(r2, 0),
    label("on"),
    ...proceed,
  ]),
  programFeature("may_goto", "6.9", [label("again"), mayGoto("out"), jump("again"), label("out"), ...proceed]),
  programFeature("load-acquire", "6.15", [store("u64", r10, -8, 0), loadAcquire("u64", r1, r10, -8), ...proceed]),
  programFeature("hooks on AF_UNIX sockets", "6.7", proceed, unixConnect),
  mapFeature("ring buffer maps", "5.8", { type: MapType.RINGBUF, keySize: 0, valueSize: 0, maxEntries: PAGE }),
  mapFeature("bloom filter maps", "5.16", { type: MapType.BLOOM_FILTER, keySize: 0 }),
  mapFeature("user ring buffer maps", "6.1", {
    type: MapType.USER_RINGBUF,
    keySize: 0,
    valueSize: 0,
    maxEntries: PAGE,
  }),
  mapFeature("arena maps", "6.9", {
    type: MapType.ARENA,
    keySize: 0,
    valueSize: 0,
    maxEntries: 1,
    flags: MapFlag.MMAPABLE,
  }),
  elementCounts,
  cgroupLinks,
  orderFeature("links that run before those of child cgroups (BPF_F_PREORDER)", "6.15", PREORDER, true),
  orderFeature("links at a chosen position (BPF_F_BEFORE)", "6.17", BEFORE, false),
];

const known = new Map<Feature, boolean>();

/** Whether the running kernel has a feature. */
export async function isPresent(feature: Feature): Promise<boolean> {
  const present = known.get(feature) ?? (await feature.attempt()).kind === "accepted";
  known.set(feature, present);
  return present;
}
