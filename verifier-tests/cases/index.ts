/** All cases. */
import type { Case } from "../suite/case.ts";
import { addressRewriting } from "./addresses.ts";
import { attaching } from "./attaching.ts";
import { contextAccess } from "./context-access.ts";
import { endToEnd } from "./end-to-end.ts";
import { errors } from "./errors.ts";
import { featureCases } from "./features.ts";
import { hooksCalled } from "./hooks-called.ts";
import { loadBalancer } from "./load-balancer.ts";
import { namespaces } from "./namespaces.ts";
import { observability } from "./observability.ts";
import { randomPrograms } from "./random-programs.ts";
import { returnValues } from "./return-values.ts";
import { rules } from "./rules.ts";
import { takingOver } from "./take-over.ts";
import { toolkitHooks } from "./toolkit-hooks.ts";

export const allCases: readonly Case[] = [
  ...featureCases,
  ...loadBalancer,
  ...endToEnd,
  ...takingOver,
  ...observability,
  ...rules,
  ...returnValues,
  ...contextAccess,
  ...toolkitHooks,
  ...hooksCalled,
  ...attaching,
  ...namespaces,
  ...errors,
  ...addressRewriting,
  ...randomPrograms,
];
