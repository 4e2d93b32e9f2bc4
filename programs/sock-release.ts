import { cgroup, PROCEED, SocketType } from "tsbpf";
import { deleteConnection } from "./connections.ts";
import { deleteReverseEntries } from "./flows.ts";
import { maps4, maps6 } from "./maps.ts";
import type { DataPathOptions } from "./options.ts";

/** The last descriptor of a socket is closed: its entries in the maps go with it. */
export const sockRelease = (options: DataPathOptions) =>
  cgroup.sockRelease("sock_release", (b, ctx) => {
    if (options.trackConnections) deleteConnection(b, ctx, () => b.getSocketCookie(ctx), options);
    b.if(ctx.type.ne(SocketType.DGRAM), () => b.return(PROCEED));
    b.skStorageGet(maps4.flows, ctx).ifFound((known) =>
      deleteReverseEntries(b, maps4, ctx, known, () => b.getSocketCookie(ctx), options),
    );
    if (options.ipv6) {
      // Whatever its family: an IPv6 socket may have become an IPv4 one since (IPV6_ADDRFORM).
      b.skStorageGet(maps6.flows, ctx).ifFound((known) =>
        deleteReverseEntries(b, maps6, ctx, known, () => b.getSocketCookie(ctx), options),
      );
    }
    return PROCEED;
  });
