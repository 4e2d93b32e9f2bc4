/** The functions that declare programs, one for each hook, and the types of their parameters. */
import { hooks, isHook, type Hook } from "../hooks/index.ts";
import type { BuilderWith } from "./builder.ts";
import type { Context } from "./context.ts";
import type { HelperFamily, HelperMethod, MethodsOf } from "./helpers/index.ts";
import { define, type ProgramBody, type ProgramOptions, type ProgramSource } from "./program.ts";
import type { ReturnOf } from "./returns.ts";

/**
 * Declares a program on one hook; `hook` has the hook's facts.
 *
 * @example
 * ```ts
 * import { cgroup, PROCEED } from "tsbpf";
 *
 * const connect4 = cgroup.connect4("connect4", () => PROCEED);
 * ```
 */
export interface Definer<K extends Hook> {
  (name: string, body: ProgramBody<K>, options?: ProgramOptions): ProgramSource<K["target"]>;
  readonly hook: K;
}

/** Hooks whose families of helpers all exist. */
type Declared = Hook & { readonly helpers: readonly HelperFamily[] };

type Definers<T> = {
  readonly [N in keyof T]: T[N] extends Declared ? Definer<T[N]> : Definers<T[N]>;
};

function definer<K extends Declared>(hook: K): Definer<K> {
  const declare = (name: string, body: ProgramBody<K>, options?: ProgramOptions) => define(hook, name, body, options);
  return Object.assign(declare, { hook });
}

const definers = Object.fromEntries(
  Object.entries<Hook | Readonly<Record<string, Hook>>>(hooks).map(([name, entry]) => [
    name,
    isHook(entry)
      ? definer(entry as Declared)
      : Object.fromEntries(Object.entries(entry).map(([name, hook]) => [name, definer(hook as Declared)])),
  ]),
) as unknown as Definers<typeof hooks>;

export const {
  /** Programs on a cgroup's sockets. */
  cgroup,
  /** A filter on one socket. */
  socketFilter,
  /** Programs on packets as a network driver receives them. */
  xdp,
} = definers;

/** Anything that declares programs on a hook, such as `cgroup.connect4`. */
type AnyDefiner = { readonly hook: Hook };

/** The helpers that every hook of a union has. */
type CommonMethods<D extends AnyDefiner> = {
  [M in HelperMethod]: [D extends AnyDefiner ? (M extends MethodsOf<D["hook"]> ? never : M) : never] extends [never]
    ? M
    : never;
}[HelperMethod];

/** The return values that all hooks of a union allow. */
type CommonReturn<D extends AnyDefiner> = (
  D extends AnyDefiner
    ? (result: ReturnOf<D["hook"]>) => void
    : never
) extends (result: infer R) => void
  ? R
  : never;

/**
 * A builder of this hook's programs, for a step that is a function of its own.
 * A union of hooks gives what all of them have.
 *
 * @example
 * ```ts
 * import { cgroup, PROCEED, REJECT, type BuilderOf, type ContextOf } from "tsbpf";
 *
 * type Connect = typeof cgroup.connect4 | typeof cgroup.connect6;
 *
 * function refuseTelnet(b: BuilderOf<Connect>, ctx: ContextOf<Connect>): void {
 *   b.if(ctx.userPort.toHost().eq(23), () => b.return(REJECT));
 * }
 *
 * export const connect4 = cgroup.connect4("connect4", (b, ctx) => {
 *   refuseTelnet(b, ctx);
 *   return PROCEED;
 * });
 * ```
 */
export type BuilderOf<D extends AnyDefiner> = BuilderWith<CommonMethods<D>, CommonReturn<D>>;

/** The context of this hook's programs; for a union of hooks, of one of them. See `BuilderOf`. */
export type ContextOf<D extends AnyDefiner> = D extends AnyDefiner ? Context<D["hook"]["context"]> : never;
