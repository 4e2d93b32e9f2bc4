/** One case for each declared feature. */
import { accepted, type Case } from "../suite/case.ts";
import { features } from "../suite/features.ts";

export const featureCases: readonly Case[] = features.map((feature) => ({
  name: `features/${feature.name}`,
  needs: feature,
  expect: accepted,
  run: feature.attempt,
}));
