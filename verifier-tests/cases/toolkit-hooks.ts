/**
 * Compares the toolkit's types of each hook (fields, rights, results, helpers) with what the running kernel
 * allows. A right that the types grant and the kernel does not is a surprise; one that the types withhold is
 * not.
 */
import { call, exit, load, mov, r0, r1, r2, store, type HelperName, type StoreType } from "../../src/asm/index.ts";
import { methodsOf } from "../../src/dsl/index.ts";
import { allHooks, type ContextField, type ContextFields, type Hook as ToolkitHook } from "../../src/hooks/index.ts";
import { observed, type Case, type Expectation, type PerKernel } from "../suite/case.ts";
import { setRetval } from "../suite/features.ts";
import type { Hook } from "../suite/hooks.ts";
import { verdict } from "../suite/load.ts";

const storeTypes: Readonly<Record<number, StoreType>> = { 1: "u8", 2: "u16", 4: "u32", 8: "u64" };

function accepts(hook: Hook, ...access: readonly ReturnType<typeof load>[]): boolean {
  return verdict(hook, [mov(r2, 0), ...access, mov(r0, 1), exit()]).kind === "accepted";
}

/** Names of fields whose declaration differs from the kernel. */
function wrongFields(hook: Hook, fields: ContextFields): string[] {
  return Object.entries(fields).flatMap(([name, field]) => {
    if ("pointer" in field) return accepts(hook, load("u64", r2, r1, field.offset)) ? [] : [`${name} cannot be read`];
    const elements: ContextField[] =
      "count" in field
        ? Array.from({ length: field.count }, (_, i) => ({
            ...field.element,
            offset: field.element.offset + i * field.element.size,
          }))
        : [field];
    return elements.flatMap(({ offset, size, writable }) => {
      const type = storeTypes[size]!;
      const written = accepts(hook, store(type, r1, offset, r2));
      return [
        ...(accepts(hook, load(type, r2, r1, offset)) ? [] : [`${name} cannot be read`]),
        ...(written === writable ? [] : [`${name} ${written ? "can be written" : "cannot be written"}`]),
      ];
    });
  });
}

function wrongResults(hook: Hook, returns: readonly unknown[]): string[] {
  return returns
    .filter((value) => verdict(hook, [mov(r0, value as number), exit()]).kind === "refused")
    .map((value) => `${String(value)} cannot be returned`);
}

/** Helpers that the kernel lacks in this hook. Other objections, such as unset arguments, do not count. */
function wrongHelpers(hook: Hook, helpers: readonly string[]): string[] {
  return helpers
    .filter((method) => {
      const outcome = verdict(hook, [call(helperName(method)), mov(r0, 1), exit()]);
      return outcome.kind === "refused" && /unknown func|cannot use helper|invalid func/.test(outcome.log);
    })
    .map((method) => `no ${helperName(method)}`);
}

function helperName(method: string): HelperName {
  const snake = method.replace(/[A-Z][a-z]*|\d+/g, (part) => (/\d/.test(part) ? part : `_${part.toLowerCase()}`));
  return `bpf_${snake}` as HelperName;
}

const asDeclared = "as declared";

function hookCase({ sections, type, expectedAttachType, context, returns, helpers: families }: ToolkitHook): Case {
  const helpers = methodsOf(families);
  const hook: Hook = { name: sections[0].replace("cgroup/", ""), type, attachType: expectedAttachType! };
  const late = helpers
    .filter((method) => method === "setRetval" || method === "getRetval")
    .map((method) => `no ${helperName(method)}`);
  const expect: PerKernel<Expectation> =
    late.length === 0 ? observed(asDeclared) : observed({ "5.10": late.join(", "), [setRetval.since]: asDeclared });
  return {
    name: `toolkit/${hook.name}: fields, results and helpers`,
    expect,
    run() {
      const wrong = [
        ...wrongFields(hook, context),
        ...wrongResults(hook, returns === "any" ? [] : returns),
        ...wrongHelpers(hook, helpers),
      ];
      return { kind: "observed", value: wrong.join(", ") || asDeclared };
    },
  };
}

export const toolkitHooks: readonly Case[] = allHooks.filter(({ inSystemCall }) => inSystemCall).map(hookCase);
