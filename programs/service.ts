import {
  PROCEED,
  REJECT,
  u16,
  u32,
  u64,
  u8,
  type BuilderWith,
  type Condition,
  type Nullable,
  type Scalar,
} from "tsbpf";
import { Scope, type Service } from "./maps.ts";
import { count, NO_SERVICE } from "./metrics.ts";
import type { DataPathOptions } from "./options.ts";
import type { Endpoint, SocketAddress } from "./socket-address.ts";

/** A service as it was at one moment. */
export interface FoundService {
  readonly revNatIndex: Scalar<"u16">;
  /** `ServiceFlag`s, of which the programs ask for those alone that they are built for. */
  readonly flags: Scalar<"u16">;
  /** Seconds; 0 where clients do not keep their backend. */
  readonly affinityTimeout: Scalar<"u32">;
  /** Index of the first of its slots, and how many there are. */
  readonly base: Scalar<"u32">;
  readonly count: Scalar<"u32">;
}

/** False where the filter says that there is no service under this address. */
export function mayBeService(b: BuilderWith<never, 0 | 1>, to: SocketAddress): Condition {
  const { word, bit } = to.filterPlace;
  const bits = b.lookup(to.maps.serviceFilter, word).orReturn(PROCEED);
  return bits.value.shr(bit).and(1).ne(0);
}

/**
 * The service that the process asked for; where it is none, `missing` runs,
 * which must end the program. It is looked for where `likely` holds.
 */
export function findService(
  b: BuilderWith<"setRetval", 0 | 1>,
  to: SocketAddress,
  likely: Condition,
  missing: () => void,
  options: RefusalOptions,
): FoundService {
  const { services } = to.maps;
  const key = b.struct(services.key, serviceKey(to, to));
  const range = b.variable(u64, 0);
  const revNatIndex = b.variable(u16, 0);
  const flags = b.variable(u16, 0);
  const affinityTimeout = b.variable(u32, 0);
  const read = (found: Nullable<Service, 0 | 1>, missing: () => void, torn: () => void) => {
    const service = found.orElse(missing);
    range.set(service.range);
    revNatIndex.set(service.revNatIndex);
    flags.set(service.flags);
    affinityTimeout.set(service.affinityTimeout);
    b.if(b.equal(service.key, key).not(), torn);
  };
  // An element that has become another service's in the meantime is looked up again; twice in a row is beyond bad luck.
  read(b.lookupIf(likely, services, key), missing, () =>
    read(
      b.lookup(services, key),
      () => b.return(PROCEED),
      () => {
        count(b, to, options, NO_SERVICE, "tornValues");
        refuse(b, options);
      },
    ),
  );
  return {
    revNatIndex: revNatIndex.get(),
    flags: flags.get(),
    affinityTimeout: affinityTimeout.get(),
    base: range.get().to(u32),
    count: range.get().shr(32).to(u32),
  };
}

/** Runs `otherwise` where the service under this address is no longer the one that `revNatIndex` names. */
export function unlessStillService(
  b: BuilderWith,
  from: SocketAddress,
  front: Endpoint & { revNatIndex: Scalar<"u16"> },
  otherwise: () => void,
): void {
  b.lookup(from.maps.services, serviceKey(from, front)).match(
    (service) => b.if(service.revNatIndex.ne(front.revNatIndex), otherwise),
    otherwise,
  );
}

function serviceKey(socket: SocketAddress, { address, port }: Endpoint) {
  // The low byte is enough: MPTCP (262) has TCP's, and is to be treated as TCP.
  return { address, port, protocol: socket.protocol.to(u8), scope: Scope.EVERYWHERE };
}

/** What `refuse` needs to know; of `DataPathOptions`, with the errno that there is in any case. */
export interface RefusalOptions extends DataPathOptions {
  readonly noBackendErrno: number;
}

/** The options, with this errno for refused calls unless another was chosen. */
export function refusingWith(errno: number, options: DataPathOptions): RefusalOptions {
  return { ...options, noBackendErrno: options.noBackendErrno ?? errno };
}

/** Has the system call fail. */
export function refuse(b: BuilderWith<"setRetval", 0 | 1>, { setRetval, noBackendErrno }: RefusalOptions): void {
  if (setRetval) b.setRetval(-noBackendErrno);
  b.return(REJECT);
}
