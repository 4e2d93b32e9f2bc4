/** The whole table. */
import type { Case } from "../suite/case.ts";
import { addressRewriting } from "./addresses.ts";
import { attaching } from "./attaching.ts";
import { contextAccess } from "./context-access.ts";
import { errors } from "./errors.ts";
import { hooksMet } from "./hooks-met.ts";
import { returnValues } from "./return-values.ts";
import { rules } from "./rules.ts";

export const allCases: readonly Case[] = [...rules, ...returnValues, ...contextAccess, ...hooksMet, ...attaching, ...errors, ...addressRewriting];
