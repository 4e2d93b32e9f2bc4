import type { HelperName } from "../../asm/index.ts";
import type { HelperCall, HelperResult } from "../helper-call.ts";
import type { World } from "../world.ts";

/** A helper that also gets the simulated kernel. */
export type WorldHelper = (call: HelperCall, world: World) => HelperResult;

/** Helpers by the kernel's names. */
export type HelperTable = Readonly<Partial<Record<HelperName, WorldHelper>>>;
