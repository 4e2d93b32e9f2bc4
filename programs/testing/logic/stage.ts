import * as assert from "uvu/assert";
import type { Infer } from "tsbpf";
import type { DataPathOptions, Event } from "../../index.ts";
import type { Identity, Party } from "../data-path.ts";
import { endpointText, type Endpoint } from "../endpoint.ts";
import type { MapOpener, ServiceTable } from "../service-table.ts";
import type { ClientSocket, SocketKind } from "../socket-client.ts";

/** The system calls of a case on a socket. */
export type StageSocket = Pick<
  ClientSocket,
  | "cookie"
  | "connect"
  | "dissolve"
  | "send"
  | "receive"
  | "readable"
  | "exchange"
  | "peer"
  | "becomeIpv4"
  | "bind"
  | "close"
>;

/** An event, but for its time and process. */
export interface ExpectedEvent
  extends Pick<Infer<typeof Event>, "kind" | "cookie" | "netnsCookie" | "cgroupId" | "protocol" | "revNatIndex"> {
  readonly original: Endpoint;
  readonly translated: Endpoint | undefined;
}

/** Events in the form in which they are expected; each is of a time after the one before. */
export function eventsAsExpected(events: readonly Infer<typeof Event>[]): ExpectedEvent[] {
  return events.map(({ time, pid, original, originalPort, translated, translatedPort, ...rest }, i) => {
    assert.ok(i === 0 || time >= events[i - 1]!.time, "in the order of time");
    assert.ok(pid > 0);
    const endpoint = (address: string, port: number): Endpoint => ({
      address: address.replace(/^::ffff:(?=.*\.)/, ""),
      port,
    });
    return {
      ...rest,
      original: endpoint(original, originalPort),
      translated: translatedPort === 0 ? undefined : endpoint(translated, translatedPort),
    };
  });
}

/**
 * Where a case is played: the load balancer's programs with their maps, and
 * sockets that run into them. One stage is the simulator, the other the kernel.
 */
export interface Stage {
  /** The options of the programs. */
  readonly options: DataPathOptions;
  readonly services: ServiceTable;
  /** The programs' maps. */
  readonly open: MapOpener;
  /** A socket of a party: of the host unless another is given. */
  socket(kind: SocketKind, family: 4 | 6, party?: Party): Promise<StageSocket>;
  /** The identity of a party's processes to the programs. */
  identity(party: Party): Identity;
  /**
   * A socket's flows without entries in the reverse maps, in the form of `reverseEntries`; undefined if they cannot be
   * read.
   */
  onlyInStorage(socket: StageSocket): string[] | undefined;
  /** The reverse maps of all families, as text, sorted. */
  reverseEntries(): string[];
  /** A service's counters are these, those that are 0 left out. */
  checkCounters(address: string, revNatIndex: number, expected: Readonly<Record<string, number>>): void;
  /** Checks the events since the last check, in order. */
  checkEvents(...expected: readonly ExpectedEvent[]): void;
  /** Closes every socket that is still open. */
  end(): Promise<void>;
}

/** Ports of backends on the first host of each family. */
export const PORTS = Array.from({ length: 48 }, (_, i) => 8001 + i);

/** An IPv6 address which differs from mapped ones in its first half only. */
export const ENDS_AS_MAPPED = "fd00:26::ffff:1400:1";

/**
 * Hosts of backends; all but the first have one backend, on the first port. IPv6 hosts differ in the lower half
 * of the address, then in the upper.
 */
export const HOSTS = {
  4: ["20.0.0.1", "20.0.0.2", "20.0.0.3", "20.0.0.4", "20.0.0.5", "20.0.0.6"],
  6: [
    "fd00:20::1",
    "fd00:20::2",
    "fd00:20::3",
    "fd00:20::4",
    "fd00:20::5",
    "fd00:20::6",
    "fd00:21::1",
    "fd00:22::1",
    "fd00:23::1",
    "fd00:24::1",
    "fd00:25::1",
    ENDS_AS_MAPPED,
  ],
} as const;

/** Everything that listens, over TCP and UDP, and answers with what it is. */
export const LISTENING: readonly string[] = ([4, 6] as const).flatMap((family) =>
  HOSTS[family].flatMap((address, i) =>
    (i === 0 ? PORTS : PORTS.slice(0, 1)).map((port) => endpointText({ address, port })),
  ),
);
