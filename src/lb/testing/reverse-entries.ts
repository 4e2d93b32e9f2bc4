import type { Status } from "../index.ts";

/** How many entries each reverse map has. */
export const reverseEntries = ({ maps }: Pick<Status, "maps">): number[] =>
  maps.filter(({ name }) => /^cilium_lb[46]_reverse_sk$/.test(name)).map(({ use }) => use!.used);
