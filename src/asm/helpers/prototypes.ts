/** Reads the kernel's documented prototypes of helpers, from the comments of linux/bpf.h. */
import type { ArgumentKind, HelperFacts, ReturnKind } from "./kinds.ts";

/**
 * The number of the last helper in each release. Numbers follow the order of
 * addition, so a helper's number gives its release. The list has been closed since
 * Linux 6.2.
 */
const lastOfRelease: readonly (readonly [release: string, last: number])[] = [
  ["3.19", 3],
  ["4.1", 11],
  ["4.2", 16],
  ["4.3", 22],
  ["4.4", 25],
  ["4.5", 26],
  ["4.6", 30],
  ["4.8", 36],
  ["4.9", 41],
  ["4.10", 44],
  ["4.11", 45],
  ["4.12", 47],
  ["4.13", 50],
  ["4.14", 53],
  ["4.15", 57],
  ["4.16", 59],
  ["4.17", 64],
  ["4.18", 80],
  ["4.19", 83],
  ["4.20", 90],
  ["5.0", 92],
  ["5.1", 98],
  ["5.2", 108],
  ["5.3", 109],
  ["5.4", 110],
  ["5.5", 115],
  ["5.6", 118],
  ["5.7", 124],
  ["5.8", 135],
  ["5.9", 141],
  ["5.10", 155],
  ["5.11", 162],
  ["5.12", 163],
  ["5.13", 165],
  ["5.14", 168],
  ["5.15", 175],
  ["5.16", 179],
  ["5.17", 185],
  ["5.18", 193],
  ["5.19", 203],
  ["6.0", 207],
  ["6.1", 209],
  ["6.2", 211],
];

/** Structs that are documented as a context, by the name of the argument's type. */
const contexts: ReadonlySet<string> = new Set([
  "sk_buff",
  "xdp_buff",
  "sk_msg_buff",
  "bpf_sock_ops",
  "bpf_sock_addr",
  "bpf_sysctl",
  "sk_reuseport_md",
  "bpf_perf_event_data",
  "pt_regs",
]);

const scalars: Readonly<Record<string, ArgumentKind & ReturnKind>> = {
  u16: "u16",
  u32: "u32",
  u64: "u64",
  s32: "i32",
  s64: "i64",
  int: "i32",
  long: "i64",
  size_t: "u64",
  "unsigned long": "u64",
  "enum bpf_adj_room_mode": "u32",
  __be16: "be16",
  __wsum: "u32",
};

/**
 * Facts of the helpers that a header documents, by name in the order of their
 * numbers.
 *
 * @throws {Error} where a prototype is missing or has an unknown type
 */
export function readPrototypes(header: string): ReadonlyMap<string, HelperFacts> {
  const prototypes = new Map<string, { result: string; parameters: string }>();
  for (const [, result, name, parameters] of header.matchAll(/^ \* (\w[\w ]*?\**) ?(?:\*)?(bpf_\w+)\((.*)\)$/gm)) {
    // A helper for several contexts is documented once for each; the first one counts.
    if (!prototypes.has(name!)) prototypes.set(name!, { result: result!, parameters: parameters! });
  }
  const facts = new Map<string, HelperFacts>();
  for (const [index, name] of namesOf(header).entries()) {
    const prototype = prototypes.get(name);
    if (prototype === undefined) throw new Error(`${name} has no documented prototype`);
    const since = lastOfRelease.find(([, last]) => index + 1 <= last)?.[0];
    if (since === undefined) throw new Error(`${name} has number ${index + 1}, and its release is not known`);
    facts.set(name, {
      number: index + 1,
      since,
      arguments: argumentKinds(prototype.parameters, name),
      returns: returnKind(header, prototype.result, name),
    });
  }
  return facts;
}

/** Names in the order of numbers, from 1: old headers list `FN(name)`, newer ones `FN(name, number, ##ctx)`. */
function namesOf(header: string): string[] {
  const list = header.slice(header.indexOf("FN(unspec"), header.indexOf("#define __BPF_ENUM_FN"));
  return [...list.matchAll(/\bFN\((\w+)(?:, \d+, ##ctx)?\),?\s*\\/g)]
    .map((match) => match[1]!)
    .filter((name) => name !== "unspec")
    .map((name) => `bpf_${name}`);
}

function argumentKinds(parameters: string, helper: string): ArgumentKind[] {
  if (parameters === "void" || parameters === "") return [];
  return parameters.split(/,\s*/).map((parameter) => {
    if (parameter === "...") return "more";
    const [, type, name] = parameter.match(/^(.*?[ *])(\w+)$/) ?? [];
    if (type === undefined || name === undefined)
      throw new Error(`${helper}: parameter ${JSON.stringify(parameter)} is not understood`);
    return argumentKind(type.replace(/\bconst /g, "").trim(), name, helper);
  });
}

function argumentKind(type: string, name: string, helper: string): ArgumentKind {
  const scalar = scalars[type];
  if (scalar !== undefined) return scalar;
  if (!type.endsWith("*")) throw new Error(`${helper}: type ${JSON.stringify(type)} is not known`);
  if (type === "void *" && name === "callback_fn") return "function";
  if (type === "void *" && (name === "ctx" || name === "ctx_out")) return "context";
  const struct = type.match(/^struct (\w+) \*$/)?.[1];
  if (struct === undefined) return "memory";
  if (struct === "bpf_map") return "map";
  return contexts.has(struct) ? "context" : `struct ${struct}`;
}

function returnKind(header: string, result: string, name: string): ReturnKind {
  const type = result.trim();
  if (type === "void" && !header.includes(` * void *${name}(`)) return "void";
  const scalar = scalars[type];
  if (scalar !== undefined && !header.includes(` * ${type} *${name}(`)) return scalar;
  const struct = type.match(/^struct (\w+)/)?.[1];
  return struct === undefined ? "memory" : `struct ${struct}`;
}
