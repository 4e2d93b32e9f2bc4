import { ProgramType } from "../types/index.ts";
import { hook } from "./hook.ts";
import { packetHelpers, skb, skbContext } from "./skb.ts";

/** A filter on one socket: returns how many bytes of the packet the socket gets. */
export const socketFilter = hook({
  ...skbContext,
  sections: ["socket"],
  sectionNamesTarget: true,
  type: ProgramType.SOCKET_FILTER,
  context: skb,
  returns: "any",
  helpers: [...packetHelpers, "socketCookie"],
  target: "socket",
});
