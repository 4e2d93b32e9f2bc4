import { Errno, type Scalar } from "tsbpf";
import type { Endpoint, Service } from "./call.ts";
import { ForwardCall } from "./forward.ts";
import { addStreamReverseNat, setDirectPeer } from "./reverse-nat.ts";

/** connect(2) of a stream socket. */
export class StreamCall extends ForwardCall {
  protected readonly noBackendErrno = Errno.ECONNREFUSED;
  protected readonly connecting = true;

  /** A random number: each connection may get another backend. */
  protected seed(): Scalar<"u32"> {
    return this.b.getPrandomU32();
  }

  /** A stream that is connected directly forgets the service of an earlier connection. */
  protected override passThrough(): void {
    const { b, maps, options } = this;
    if (options.rememberStreams) setDirectPeer(this, b.skStorageGet(maps.flows, this.socket));
    super.passThrough();
  }

  /** Replies of a stream carry no address: only getpeername(2) needs the service, where the options ask for that. */
  addReverseNat(service: Service, backend: Endpoint): void {
    if (this.options.rememberStreams) addStreamReverseNat(this, service, backend);
  }
}
