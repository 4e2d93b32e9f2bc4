/** The values that a program may return, by hook, and the hooks that can set the caller's error. */
import { call, exit, mov, r0, r1 } from "../../src/asm/index.ts";
import { accepted, observed, refused, type Case } from "../suite/case.ts";
import { setRetval } from "../suite/features.ts";
import { allHooks, type Hook } from "../suite/hooks.ts";
import { verdict } from "../suite/load.ts";

/** Hooks that run after the fact and cannot refuse. */
const cannotRefuse = (hook: Hook): boolean => /^(recvmsg|getpeername|getsockname)/.test(hook.name);

function allowedValues(hook: Hook): string | Readonly<Record<string, string>> {
  if (cannotRefuse(hook)) return "1";
  // Since 5.12 the second bit of a bind program's result allows binding a privileged port without the
  // capability.
  return hook.name.startsWith("bind") ? { "5.10": "0, 1", "5.12": "0, 1, 2, 3" } : "0, 1";
}

const ranges: readonly Case[] = allHooks.map((hook) => ({
  name: `return values/${hook.name}`,
  expect: observed(allowedValues(hook)),
  run() {
    const accepted = [-1, 0, 1, 2, 3, 4].filter((value) => verdict(hook, [mov(r0, value), exit()]).kind === "accepted");
    return { kind: "observed", value: accepted.join(", ") };
  },
}));

const setsError: readonly Case[] = allHooks.map((hook) => ({
  name: `bpf_set_retval/${hook.name}`,
  needs: setRetval,
  expect: cannotRefuse(hook)
    ? refused(/unknown func bpf_set_retval#187|program of this type cannot use helper bpf_set_retval#187/, "EINVAL")
    : accepted,
  run: () => verdict(hook, [mov(r1, -111), call("bpf_set_retval"), mov(r0, 1), exit()]),
}));

export const returnValues: readonly Case[] = [...ranges, ...setsError];
