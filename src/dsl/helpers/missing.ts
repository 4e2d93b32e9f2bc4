/** Helpers that a hook lacks: what errors say, and what to call instead. */
import { helperFacts, type HelperName } from "../../asm/index.ts";
import { allHooks, type Hook } from "../../hooks/index.ts";
import { methodsOf, type HelperMethod } from "./index.ts";

/** Packets belong to a socket, not to the process that happens to run. */
export const insteadOnPackets = {
  getCurrentCgroupId: 'helper("bpf_skb_cgroup_id")(b, ctx)',
  getCurrentAncestorCgroupId: 'helper("bpf_skb_ancestor_cgroup_id")(b, ctx, level)',
} as const;

/** `bpf_get_prandom_u32` for `getPrandomU32`. */
const kernelName = (method: HelperMethod): HelperName =>
  `bpf_${method.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}` as HelperName;

/** Why programs of a hook cannot call a helper, who can, and what to write. */
export function whyMissing(method: HelperMethod, hook: Hook): string {
  const [section] = hook.sections;
  const name = kernelName(method);
  if (methodsOf(hook.helpers).includes(method))
    return (
      `this subprogram does not ask for ${method}: list it behind the body, ` +
      `subprogram(name, parameters, returns, body, ["${method}"])`
    );
  const having = allHooks
    .filter(({ helpers }) => methodsOf(helpers).includes(method))
    .map(({ sections }) => sections[0]);
  const said =
    `the kernel has no helper ${method} for programs of ${section}: ` +
    `${name} (Linux ${helperFacts(name).since}) serves ${having.join(", ")}`;
  const instead = section.startsWith("cgroup_skb/")
    ? (insteadOnPackets as { readonly [M in HelperMethod]?: string })[method]
    : undefined;
  return instead === undefined ? said : `${said}; call ${instead} instead`;
}
