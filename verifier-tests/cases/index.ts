/** The whole table. */
import type { Case } from "../suite/case.ts";
import { contextAccess } from "./context-access.ts";
import { returnValues } from "./return-values.ts";
import { rules } from "./rules.ts";

export const allCases: readonly Case[] = [...rules, ...returnValues, ...contextAccess];
