/** What attaches where, in which order programs run, and whose programs a detach removes. */
import { rmSync } from "node:fs";
import { exit, mov, r0 } from "../../src/asm/index.ts";
import {
  attachedPrograms,
  createLink,
  detachLink,
  detachProgram,
  linkInfo,
  openPinned,
  pinObject,
  updateLink,
  type Fd,
} from "../../src/kernel/index.ts";
import { eventually } from "../../src/testing/index.ts";
import { AttachType } from "../../src/types/index.ts";
import { observed, refused, type Case, type Expectation, type Outcome, type PerKernel } from "../suite/case.ts";
import { inTestCgroup, withChild, type TestCgroup } from "../suite/cgroup.ts";
import { allHooks, connect4, connect6, sendmsg4, sockRelease, type Hook } from "../suite/hooks.ts";
import { outcomeOf, verdict } from "../suite/load.ts";
import { addresses } from "../suite/network.ts";
import { errorOf, Socket, withSockets } from "../suite/socket.ts";
import { Trace } from "../suite/trace.ts";

const proceed = [mov(r0, 1), exit()];

/** `BPF_F_ALLOW_OVERRIDE`, `BPF_F_ALLOW_MULTI`. */
const OVERRIDE = 1;
const MULTI = 2;

/** A case in its own cgroup, with a trace for its programs. */
function attachCase(
  name: string,
  expect: PerKernel<Expectation>,
  use: (cgroup: TestCgroup, trace: Trace) => Outcome | Promise<Outcome>,
): Case {
  return {
    name: `attaching/${name}`,
    expect,
    run: () =>
      inTestCgroup((cgroup) => {
        const trace = new Trace();
        cgroup.keep(trace.map);
        return use(cgroup, trace);
      }),
  };
}

/** Makes a UDP connect from inside the cgroup; returns the programs that ran, and the error if any. */
function programsRun(cgroup: TestCgroup, trace: Trace): string {
  return withSockets((keep) => {
    trace.take();
    const error = errorOf(() =>
      keep(cgroup.inside(() => Socket.udp4())).connect({ address: addresses.backend4, port: 9 }),
    );
    return [...trace.take(), ...(error === "ok" ? [] : [error])].join(" ") || "none";
  });
}

const seen = (cgroup: TestCgroup, trace: Trace): Outcome => ({ kind: "observed", value: programsRun(cgroup, trace) });

/** Loads with an attach type of another program type. */
const mismatches: readonly Case[] = [
  {
    name: "attaching/loading the connect4 program type for sock_release",
    hook: connect4,
    expectedAttachType: AttachType.CGROUP_INET_SOCK_RELEASE,
  },
  {
    name: "attaching/loading the connect4 program type for ingress",
    hook: connect4,
    expectedAttachType: AttachType.CGROUP_INET_INGRESS,
  },
  {
    name: "attaching/loading the sock_release program type for connect4",
    hook: sockRelease,
    expectedAttachType: AttachType.CGROUP_INET4_CONNECT,
  },
].map(({ name, hook, expectedAttachType }) => ({
  name,
  expect: refused(/EINVAL/, "EINVAL"),
  run: () => verdict(hook, proceed, { expectedAttachType }),
}));

/** Attaches where the program was not loaded for, with and without a link. */
const wrongHooks: readonly Case[] = (
  [
    [connect4, connect6],
    [connect4, sendmsg4],
    [sendmsg4, sockRelease],
  ] as const
).flatMap(([loadedFor, hook]) => [
  attachCase(`linking a ${loadedFor.name} program to ${hook.name}`, refused(/EINVAL/, "EINVAL"), (cgroup) => {
    const program = cgroup.load(loadedFor, proceed);
    return outcomeOf(() => cgroup.link(hook, program));
  }),
  attachCase(
    `attaching a ${loadedFor.name} program to ${hook.name} without a link`,
    refused(/EINVAL/, "EINVAL"),
    (cgroup) => {
      const program = cgroup.load(loadedFor, proceed);
      return outcomeOf(() => cgroup.attachUnlinked(hook, program));
    },
  ),
]);

const everyHook: readonly Case[] = allHooks.map((hook: Hook) =>
  attachCase(`${hook.name}: with and without a link, side by side`, observed("2 programs"), (cgroup) => {
    cgroup.attach(hook, proceed);
    const program = cgroup.load(hook, proceed);
    cgroup.attachUnlinked(hook, program);
    return { kind: "observed", value: `${attachedPrograms(cgroup.fd, hook.attachType).programIds.length} programs` };
  }),
);

const order: readonly Case[] = [
  attachCase("programs of one cgroup run in the order of attachment", observed("1 2 3"), (cgroup, trace) => {
    for (const id of [1, 2, 3]) cgroup.attach(connect4, trace.program(id));
    return seen(cgroup, trace);
  }),
  attachCase("a cgroup's programs run before its parent's", observed("2 3 1"), (cgroup, trace) => {
    cgroup.attach(connect4, trace.program(1));
    return withChild(cgroup, (child) => {
      for (const id of [2, 3]) child.attach(connect4, trace.program(id));
      return seen(child, trace);
    });
  }),
  attachCase("a child cgroup's programs do not run for its parent", observed("1"), (cgroup, trace) => {
    cgroup.attach(connect4, trace.program(1));
    return withChild(cgroup, (child) => {
      child.attach(connect4, trace.program(2));
      return seen(cgroup, trace);
    });
  }),
  attachCase("later programs run after a refusal", observed("1 2 3 EPERM"), (cgroup, trace) => {
    cgroup.attach(connect4, trace.program(1));
    cgroup.attach(connect4, trace.program(2, 0));
    cgroup.attach(connect4, trace.program(3));
    return seen(cgroup, trace);
  }),
];

const flags: readonly Case[] = [
  attachCase("an exclusive program allows no link beside it", refused(/EPERM/, "EPERM"), (cgroup) => {
    cgroup.attachUnlinked(connect4, cgroup.load(connect4, proceed), 0);
    return outcomeOf(() => cgroup.attach(connect4, proceed));
  }),
  attachCase("an exclusive program allows no program in a child cgroup", refused(/EPERM/, "EPERM"), (cgroup) => {
    cgroup.attachUnlinked(connect4, cgroup.load(connect4, proceed), 0);
    return withChild(cgroup, (child) => outcomeOf(() => child.attach(connect4, proceed)));
  }),
  attachCase("an exclusive program gives way to another exclusive one", observed("2"), (cgroup, trace) => {
    cgroup.attachUnlinked(connect4, cgroup.load(connect4, trace.program(1)), 0);
    cgroup.attachUnlinked(connect4, cgroup.load(connect4, trace.program(2)), 0);
    return seen(cgroup, trace);
  }),
  attachCase("an overridable program is replaced in a child cgroup", observed("2"), (cgroup, trace) => {
    cgroup.attachUnlinked(connect4, cgroup.load(connect4, trace.program(1)), OVERRIDE);
    return withChild(cgroup, (child) => {
      child.attachUnlinked(connect4, child.load(connect4, trace.program(2)), OVERRIDE);
      return seen(child, trace);
    });
  }),
  attachCase("an overridable program allows no link beside it", refused(/EPERM/, "EPERM"), (cgroup) => {
    cgroup.attachUnlinked(connect4, cgroup.load(connect4, proceed), OVERRIDE);
    return outcomeOf(() => cgroup.attach(connect4, proceed));
  }),
  attachCase("a program can be attached only once beside others", refused(/EINVAL/, "EINVAL"), (cgroup) => {
    const program = cgroup.load(connect4, proceed);
    cgroup.attachUnlinked(connect4, program, MULTI);
    return outcomeOf(() => cgroup.attachUnlinked(connect4, program, MULTI));
  }),
  attachCase("at most 64 programs", refused(/E2BIG/, "E2BIG"), (cgroup) => {
    const program = cgroup.load(connect4, proceed);
    for (let i = 0; i < 64; i++) cgroup.link(connect4, program);
    return outcomeOf(() => cgroup.link(connect4, program));
  }),
];

const links: readonly Case[] = [
  attachCase("a link's program is replaced in place", observed("1 4 3"), (cgroup, trace) => {
    const [, second] = [1, 2, 3].map((id) => cgroup.attach(connect4, trace.program(id))) as [Fd, Fd, Fd];
    updateLink(second, cgroup.load(connect4, trace.program(4)));
    return seen(cgroup, trace);
  }),
  attachCase("a link's program is not replaced if another one is expected", refused(/EPERM/, "EPERM"), (cgroup) => {
    const link = cgroup.attach(connect4, proceed);
    const [replacement, other] = [cgroup.load(connect4, proceed), cgroup.load(connect4, proceed)];
    return outcomeOf(() => updateLink(link, replacement, other));
  }),
  attachCase("a link's program is replaced if it is the expected one", observed("2"), (cgroup, trace) => {
    const first = cgroup.load(connect4, trace.program(1));
    const link = cgroup.link(connect4, first);
    updateLink(link, cgroup.load(connect4, trace.program(2)), first);
    return seen(cgroup, trace);
  }),
  attachCase("a link rejects a program of another type", refused(/EINVAL/, "EINVAL"), (cgroup) => {
    const link = cgroup.attach(connect4, proceed);
    const replacement = cgroup.load(sockRelease, proceed);
    return outcomeOf(() => updateLink(link, replacement));
  }),
  attachCase("a detached link runs nothing", observed("none"), (cgroup, trace) => {
    detachLink(cgroup.attach(connect4, trace.program(1)));
    return seen(cgroup, trace);
  }),
  attachCase("a detached link rejects a program", refused(/ENOLINK/, "ENOLINK"), (cgroup) => {
    const link = cgroup.attach(connect4, proceed);
    detachLink(link);
    const replacement = cgroup.load(connect4, proceed);
    return outcomeOf(() => updateLink(link, replacement));
  }),
  attachCase("a closed link runs nothing", observed("none"), (cgroup, trace) => {
    cgroup.attach(connect4, trace.program(1)).close();
    return seen(cgroup, trace);
  }),
  attachCase(
    "a pinned link outlives its descriptor and ends with its pin",
    observed("1, then none"),
    async (cgroup, trace) => {
      const path = `/sys/fs/bpf/verifier-test-${process.pid}`;
      const link = cgroup.attach(connect4, trace.program(1));
      pinObject(link, path);
      link.close();
      try {
        openPinned(path).close();
        const before = programsRun(cgroup, trace);
        rmSync(path);
        const after = await eventually(() => {
          const ran = programsRun(cgroup, trace);
          if (ran !== "none") throw new Error(`after unpinning, ${ran} still runs`);
          return ran;
        });
        return { kind: "observed", value: `${before}, then ${after}` };
      } finally {
        rmSync(path, { force: true });
      }
    },
  ),
  attachCase("a link whose cgroup is gone reports cgroup 0", observed("cgroup 0"), async (cgroup) => {
    const program = cgroup.load(connect4, proceed);
    const link = withChild(cgroup, (child) =>
      cgroup.keep(createLink({ program, target: child.fd, attachType: connect4.attachType })),
    );
    // The kernel detaches a removed cgroup's links after a delay.
    await eventually(() => {
      if (linkInfo(link).cgroupId !== 0n) throw new Error(`the link still names cgroup ${linkInfo(link).cgroupId}`);
    });
    return { kind: "observed", value: "cgroup 0" };
  }),
];

const others: readonly Case[] = [
  attachCase("another owner's programs stay when ours are detached", observed("1 2 3, then 1 3"), (cgroup, trace) => {
    cgroup.attach(connect4, trace.program(1));
    const ours = cgroup.attach(connect4, trace.program(2));
    cgroup.attachUnlinked(connect4, cgroup.load(connect4, trace.program(3)));
    const before = programsRun(cgroup, trace);
    detachLink(ours);
    return { kind: "observed", value: `${before}, then ${programsRun(cgroup, trace)}` };
  }),
  attachCase("ours stay when another owner detaches its own", observed("1 2, then 2"), (cgroup, trace) => {
    const theirs = cgroup.load(connect4, trace.program(1));
    cgroup.attachUnlinked(connect4, theirs);
    cgroup.attach(connect4, trace.program(2));
    const before = programsRun(cgroup, trace);
    detachProgram(cgroup.fd, theirs, connect4.attachType);
    return { kind: "observed", value: `${before}, then ${programsRun(cgroup, trace)}` };
  }),
  attachCase("a linked program cannot be detached without its link", refused(/ENOENT/, "ENOENT"), (cgroup) => {
    const program = cgroup.load(connect4, proceed);
    cgroup.link(connect4, program);
    return outcomeOf(() => detachProgram(cgroup.fd, program, connect4.attachType));
  }),
];

export const attaching: readonly Case[] = [
  ...mismatches,
  ...wrongHooks,
  ...everyHook,
  ...order,
  ...flags,
  ...links,
  ...others,
];
