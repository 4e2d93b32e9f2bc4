/** The error that a caller sees, with one program and with several. */
import { call, exit, jeq, label, mov, r0, r1, r7, type Item } from "../../src/asm/index.ts";
import { observed, type Case, type Feature } from "../suite/case.ts";
import { inTestCgroup, type TestCgroup } from "../suite/cgroup.ts";
import { getRetval, setRetval } from "../suite/features.ts";
import {
  bind4,
  bind6,
  connect4,
  connect6,
  postBind4,
  postBind6,
  sendmsg4,
  sendmsg6,
  sockCreate,
  type Hook,
} from "../suite/hooks.ts";
import { outcomeOf } from "../suite/load.ts";
import { addresses } from "../suite/network.ts";
import { errorOf, Socket, withSockets } from "../suite/socket.ts";
import { Trace } from "../suite/trace.ts";

const ECONNREFUSED = 111;
const EHOSTUNREACH = 113;

/** A program that sets `errno`, if given, and returns `result`. */
const program = (result: 0 | 1, errno?: number): readonly Item[] => [
  ...(errno === undefined ? [] : [mov(r1, -errno), call("bpf_set_retval")]),
  mov(r0, result),
  exit(),
];

/** The system call of each hook, with a valid destination. */
const calls: Readonly<Record<string, () => void>> = {
  [connect4.name]: () => withSockets((keep) => keep(Socket.udp4()).connect({ address: addresses.backend4, port: 9 })),
  [connect6.name]: () => withSockets((keep) => keep(Socket.udp6()).connect({ address: addresses.backend6, port: 9 })),
  [sendmsg4.name]: () => withSockets((keep) => keep(Socket.udp4()).send("x", { address: addresses.backend4, port: 9 })),
  [sendmsg6.name]: () => withSockets((keep) => keep(Socket.udp6()).send("x", { address: addresses.backend6, port: 9 })),
  [bind4.name]: () => withSockets((keep) => keep(Socket.udp4()).bind(addresses.client4)),
  [bind6.name]: () => withSockets((keep) => keep(Socket.udp6()).bind(addresses.client6)),
  [postBind4.name]: () => withSockets((keep) => keep(Socket.udp4()).bind(addresses.client4)),
  [postBind6.name]: () => withSockets((keep) => keep(Socket.udp6()).bind(addresses.client6)),
  [sockCreate.name]: () => withSockets((keep) => keep(Socket.udp4())),
};

function errorCase(
  name: string,
  hook: Hook,
  expect: string,
  programs: readonly (readonly Item[])[],
  needs?: Feature,
): Case {
  return {
    name: `errors/${name}`,
    ...(needs && { needs }),
    expect: observed(expect),
    run: () =>
      inTestCgroup((cgroup) => {
        const refusal = outcomeOf(() => programs.forEach((items) => cgroup.attach(hook, items)));
        return refusal.kind === "refused" ? refusal : { kind: "observed", value: errorIn(cgroup, hook) };
      }),
  };
}

const errorIn = (cgroup: TestCgroup, hook: Hook): string => cgroup.inside(() => errorOf(calls[hook.name]!));

const refusals: readonly Case[] = [
  connect4,
  connect6,
  sendmsg4,
  sendmsg6,
  bind4,
  bind6,
  postBind4,
  postBind6,
  sockCreate,
].flatMap((hook) => [
  errorCase(`${hook.name}: a refusal`, hook, "EPERM", [program(0)]),
  errorCase(
    `${hook.name}: a refusal with the program's error`,
    hook,
    "ECONNREFUSED",
    [program(0, ECONNREFUSED)],
    setRetval,
  ),
]);

const several: readonly Case[] = [
  errorCase("setting an error is enough to refuse", connect4, "ECONNREFUSED", [program(1, ECONNREFUSED)], setRetval),
  errorCase(
    "a later program that sets no error keeps the error",
    connect4,
    "ECONNREFUSED",
    [program(0, ECONNREFUSED), program(1)],
    setRetval,
  ),
  errorCase(
    "a later program overrides the error",
    connect4,
    "EHOSTUNREACH",
    [program(0, ECONNREFUSED), program(0, EHOSTUNREACH)],
    setRetval,
  ),
  errorCase(
    "a later program that allows the call overrides the error too",
    connect4,
    "EHOSTUNREACH",
    [program(0), program(1, EHOSTUNREACH)],
    setRetval,
  ),
  errorCase(
    "a later refusal without an error keeps the earlier error",
    connect4,
    "ECONNREFUSED",
    [program(1, ECONNREFUSED), program(0)],
    setRetval,
  ),
  errorCase("a later program revokes a refusal", connect4, "ok", [program(0, ECONNREFUSED), program(1, 0)], setRetval),
  {
    name: "errors/a later program sees the error",
    needs: getRetval,
    expect: observed("1"),
    run: () =>
      inTestCgroup((cgroup) => {
        const trace = new Trace();
        cgroup.keep(trace.map);
        const refusal = outcomeOf(() => {
          cgroup.attach(connect4, program(0, ECONNREFUSED));
          cgroup.attach(connect4, [
            mov(r7, r1),
            call("bpf_get_retval"),
            mov(r1, r7),
            jeq(r0, -ECONNREFUSED, "seen"),
            ...trace.program(2),
            label("seen"),
            ...trace.program(1),
          ]);
        });
        if (refusal.kind === "refused") return refusal;
        errorIn(cgroup, connect4);
        return { kind: "observed", value: trace.take().join(" ") };
      }),
  },
];

export const errors: readonly Case[] = [...refusals, ...several];
