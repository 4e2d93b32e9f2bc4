import type { Hook } from "../hooks/index.ts";
import type { Scalar } from "./scalar.ts";

/** The return values of programs on a hook that takes any 32-bit number. */
type AnyReturn = number | Scalar<"u32"> | Scalar<"i32">;

/** The return values that a hook allows. */
export type ReturnOf<K extends Hook> = K["returns"] extends readonly (infer R)[] ? R : AnyReturn;
