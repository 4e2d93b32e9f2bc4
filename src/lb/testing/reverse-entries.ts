import type { Status } from "../index.ts";

/** The number of entries of each reverse map. */
export const reverseEntries = ({ maps }: Pick<Status, "maps">): number[] =>
  maps.filter(({ name }) => /^cilium_lb[46]_reverse_sk$/.test(name)).map(({ use }) => use!.used);
