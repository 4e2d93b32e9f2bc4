/** Step 5: the last descriptor of a socket is closed, and its entries in the maps go with it. */
import { cgroup, PROCEED, SocketType } from "tsbpf";
import { Call, type Features } from "./call.ts";
import { maps4, maps6 } from "./maps.ts";
import { deleteReverseNat } from "./reverse-nat.ts";

export const sockRelease = (features: Features) =>
  cgroup.sockRelease("sock_release", (b, ctx) => {
    const call = new Call(b, maps4, ctx, features);
    features.connections?.forget(call);
    b.if(ctx.type.ne(SocketType.DGRAM), () => b.return(PROCEED));
    deleteReverseNat(call);
    // An IPv4 socket may have been an IPv6 one (IPV6_ADDRFORM).
    if (features.options.ipv6) deleteReverseNat(new Call(b, maps6, ctx, features));
    return PROCEED;
  });
