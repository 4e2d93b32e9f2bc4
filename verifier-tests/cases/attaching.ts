/** What may be attached where, in which order programs run, and whose programs a detach takes away. */
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

/** A case in a cgroup of its own, with a trace that its programs may write to. */
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

/** A UDP connect from inside the cgroup: which programs it met, and its error if it had one. */
function whatRan(cgroup: TestCgroup, trace: Trace): string {
  return withSockets((keep) => {
    trace.take();
    const error = errorOf(() =>
      keep(cgroup.inside(() => Socket.udp4())).connect({ address: addresses.backend4, port: 9 }),
    );
    return [...trace.take(), ...(error === "ok" ? [] : [error])].join(" ") || "none";
  });
}

const seen = (cgroup: TestCgroup, trace: Trace): Outcome => ({ kind: "observed", value: whatRan(cgroup, trace) });

/** Loading with another attach type than the program's own type has. */
const mismatches: readonly Case[] = [
  {
    name: "attaching/loading connect4's type of program for sock_release",
    hook: connect4,
    expectedAttachType: AttachType.CGROUP_INET_SOCK_RELEASE,
  },
  {
    name: "attaching/loading connect4's type of program for ingress",
    hook: connect4,
    expectedAttachType: AttachType.CGROUP_INET_INGRESS,
  },
  {
    name: "attaching/loading sock_release's type of program for connect4",
    hook: sockRelease,
    expectedAttachType: AttachType.CGROUP_INET4_CONNECT,
  },
].map(({ name, hook, expectedAttachType }) => ({
  name,
  expect: refused(/EINVAL/, "EINVAL"),
  run: () => verdict(hook, proceed, { expectedAttachType }),
}));

/** Attaching where the program was not loaded for, with a link and without. */
const wrongHooks: readonly Case[] = (
  [
    [connect4, connect6],
    [connect4, sendmsg4],
    [sendmsg4, sockRelease],
  ] as const
).flatMap(([loadedFor, hook]) => [
  attachCase(`a link of a ${loadedFor.name} program to ${hook.name}`, refused(/EINVAL/, "EINVAL"), (cgroup) => {
    const program = cgroup.load(loadedFor, proceed);
    return outcomeOf(() => cgroup.link(hook, program));
  }),
  attachCase(`a ${loadedFor.name} program without link to ${hook.name}`, refused(/EINVAL/, "EINVAL"), (cgroup) => {
    const program = cgroup.load(loadedFor, proceed);
    return outcomeOf(() => cgroup.attachUnlinked(hook, program));
  }),
]);

const everyHook: readonly Case[] = allHooks.map((hook: Hook) =>
  attachCase(`${hook.name}: a link and no link, side by side`, observed("2 programs"), (cgroup) => {
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
  attachCase("programs of a cgroup run before those of the one above", observed("2 3 1"), (cgroup, trace) => {
    cgroup.attach(connect4, trace.program(1));
    return withChild(cgroup, (child) => {
      for (const id of [2, 3]) child.attach(connect4, trace.program(id));
      return seen(child, trace);
    });
  }),
  attachCase("programs of a cgroup below do not run for those above", observed("1"), (cgroup, trace) => {
    cgroup.attach(connect4, trace.program(1));
    return withChild(cgroup, (child) => {
      child.attach(connect4, trace.program(2));
      return seen(cgroup, trace);
    });
  }),
  attachCase("a refusal does not keep later programs from running", observed("1 2 3 EPERM"), (cgroup, trace) => {
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
  attachCase("an exclusive program allows none in the cgroup below", refused(/EPERM/, "EPERM"), (cgroup) => {
    cgroup.attachUnlinked(connect4, cgroup.load(connect4, proceed), 0);
    return withChild(cgroup, (child) => outcomeOf(() => child.attach(connect4, proceed)));
  }),
  attachCase("an exclusive program gives way to another exclusive one", observed("2"), (cgroup, trace) => {
    cgroup.attachUnlinked(connect4, cgroup.load(connect4, trace.program(1)), 0);
    cgroup.attachUnlinked(connect4, cgroup.load(connect4, trace.program(2)), 0);
    return seen(cgroup, trace);
  }),
  attachCase("an overridable program is replaced in the cgroup below", observed("2"), (cgroup, trace) => {
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
  attachCase("a program beside others is attached once only", refused(/EINVAL/, "EINVAL"), (cgroup) => {
    const program = cgroup.load(connect4, proceed);
    cgroup.attachUnlinked(connect4, program, MULTI);
    return outcomeOf(() => cgroup.attachUnlinked(connect4, program, MULTI));
  }),
  attachCase("64 programs at most", refused(/E2BIG/, "E2BIG"), (cgroup) => {
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
  attachCase("a link's program is replaced only if it is the one expected", refused(/EPERM/, "EPERM"), (cgroup) => {
    const link = cgroup.attach(connect4, proceed);
    const [replacement, other] = [cgroup.load(connect4, proceed), cgroup.load(connect4, proceed)];
    return outcomeOf(() => updateLink(link, replacement, other));
  }),
  attachCase("a link's program is replaced where it is the one expected", observed("2"), (cgroup, trace) => {
    const first = cgroup.load(connect4, trace.program(1));
    const link = cgroup.link(connect4, first);
    updateLink(link, cgroup.load(connect4, trace.program(2)), first);
    return seen(cgroup, trace);
  }),
  attachCase("a link takes no program of another type", refused(/EINVAL/, "EINVAL"), (cgroup) => {
    const link = cgroup.attach(connect4, proceed);
    const replacement = cgroup.load(sockRelease, proceed);
    return outcomeOf(() => updateLink(link, replacement));
  }),
  attachCase("a detached link runs nothing", observed("none"), (cgroup, trace) => {
    detachLink(cgroup.attach(connect4, trace.program(1)));
    return seen(cgroup, trace);
  }),
  attachCase("a detached link takes no program", refused(/ENOLINK/, "ENOLINK"), (cgroup) => {
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
    "a pinned link runs on when it is closed, and ends with its pin",
    observed("1, then none"),
    async (cgroup, trace) => {
      const path = `/sys/fs/bpf/verifier-test-${process.pid}`;
      const link = cgroup.attach(connect4, trace.program(1));
      pinObject(link, path);
      link.close();
      try {
        openPinned(path).close();
        const before = whatRan(cgroup, trace);
        rmSync(path);
        const after = await eventually(() => {
          const ran = whatRan(cgroup, trace);
          if (ran !== "none") throw new Error(`after its pin is gone, ${ran} still runs`);
          return ran;
        });
        return { kind: "observed", value: `${before}, then ${after}` };
      } finally {
        rmSync(path, { force: true });
      }
    },
  ),
  attachCase("a link whose cgroup is gone says so", observed("cgroup 0"), async (cgroup) => {
    const program = cgroup.load(connect4, proceed);
    const link = withChild(cgroup, (child) =>
      cgroup.keep(createLink({ program, target: child.fd, attachType: connect4.attachType })),
    );
    // The kernel clears up behind a cgroup a little later.
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
    const before = whatRan(cgroup, trace);
    detachLink(ours);
    return { kind: "observed", value: `${before}, then ${whatRan(cgroup, trace)}` };
  }),
  attachCase("ours stay when another owner detaches its own", observed("1 2, then 2"), (cgroup, trace) => {
    const theirs = cgroup.load(connect4, trace.program(1));
    cgroup.attachUnlinked(connect4, theirs);
    cgroup.attach(connect4, trace.program(2));
    const before = whatRan(cgroup, trace);
    detachProgram(cgroup.fd, theirs, connect4.attachType);
    return { kind: "observed", value: `${before}, then ${whatRan(cgroup, trace)}` };
  }),
  attachCase("a program of a link is not detached as one without", refused(/ENOENT/, "ENOENT"), (cgroup) => {
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
