/** The comparisons and their goals: rows computed from measurements. */
import type { Operation } from "./client.ts";
import type { Measurement } from "./measure.ts";
import { netfilterKinds } from "./netfilter.ts";
import { Side } from "./place.ts";
import type { Result } from "./result.ts";
import type { Target } from "./services.ts";

/** One program at one kind of work. */
export interface Case {
  readonly program: string;
  readonly what: string;
  readonly operation: Operation;
  readonly target: Target;
  /** The side that represents ours. */
  readonly ours: string;
  /** The goal: a fraction of C's time, gross and net of the floor; or nanoseconds above the floor. */
  readonly goal?: { readonly gross: number; readonly net: number } | { readonly aboveFloor: number };
}

const connect = { gross: 0.35, net: 0.2 };
const message = { gross: 0.45, net: 0.3 };
const release = { gross: 0.4, net: 0.2 };
const foreign = { aboveFloor: 20 };

const toService = (
  program: string,
  what: string,
  operation: Operation,
  goal?: Case["goal"],
  ours: string = Side.OURS,
): Case => ({ program, what, operation, target: "service", ours, ...(goal && { goal }) });
const elsewhere = (program: string, what: string, operation: Operation): Case => ({
  program,
  what: `no service: ${what}`,
  operation,
  target: "foreign",
  ours: Side.OURS,
  goal: foreign,
});

export const cases: readonly Case[] = [
  toService("connect4", "UDP socket, connecting again", "connect", connect),
  toService("connect4", "new UDP socket", "new-connect", connect),
  toService("connect4", "new UDP socket, reverseEntries: older", "new-connect", connect, Side.ALONE),
  toService("connect4", "new TCP socket", "tcp", connect),
  toService("connect4", "new TCP socket, getpeername: service", "tcp", undefined, Side.STREAMS),
  toService("sendmsg4", "UDP socket, sending again", "exchange", message),
  toService("sendmsg4", "new UDP socket", "new-exchange"),
  toService("sendmsg4", "new UDP socket, reverseEntries: older", "new-exchange", undefined, Side.ALONE),
  toService("recvmsg4", "UDP socket, receiving again", "exchange", message),
  toService("recvmsg4", "new UDP socket", "new-exchange", message),
  toService("recvmsg4", "new UDP socket, reverseEntries: older", "new-exchange", message, Side.ALONE),
  toService("getpeername4", "connected UDP socket", "getpeername"),
  toService("sock_release", "connected UDP socket", "new-connect", release),
  toService("sock_release", "connected UDP socket, reverseEntries: older", "new-connect", release, Side.ALONE),
  toService("sock_release", "unconnected UDP socket", "new-exchange", release),
  toService("sock_release", "unconnected UDP socket, reverseEntries: older", "new-exchange", release, Side.ALONE),
  toService("sock_release", "TCP socket", "tcp", release),
  elsewhere("connect4", "UDP socket, again", "connect"),
  elsewhere("connect4", "new UDP socket", "new-connect"),
  elsewhere("connect4", "new TCP socket", "tcp"),
  elsewhere("sendmsg4", "UDP socket, again", "exchange"),
  elsewhere("sendmsg4", "new UDP socket", "new-exchange"),
  elsewhere("recvmsg4", "UDP socket, again", "exchange"),
  elsewhere("recvmsg4", "new UDP socket", "new-exchange"),
  elsewhere("getpeername4", "connected UDP socket", "getpeername"),
  elsewhere("sock_release", "connected UDP socket", "new-connect"),
  elsewhere("sock_release", "unconnected UDP socket", "new-exchange"),
  elsewhere("sock_release", "TCP socket", "tcp"),
];

/** Every measured program. */
export const programNames: string[] = [...new Set(cases.map(({ program }) => program))];

/** Nanoseconds per run for one number of services and of processors. */
export interface Row {
  readonly services: number;
  readonly processors: number;
  readonly floor: number;
  readonly peer: number;
  readonly ours: number;
}

export const gross = ({ peer, ours }: Row): number => ours / peer;
export const net = ({ floor, peer, ours }: Row): number => (ours - floor) / (peer - floor);
export const aboveFloor = ({ floor, ours }: Row): number => ours - floor;

/** The cases of the measured programs. */
export const casesOf = (programs: readonly string[]): readonly Case[] =>
  cases.filter(({ program }) => programs.includes(program));

/** The rows of a case, in measurement order. */
export function rowsOf({ program, operation, target, ours }: Case, measurements: readonly Measurement[]): Row[] {
  const of = (side: string, wanted: Target) =>
    measurements.filter((m) => m.side === side && m.operation === operation && m.target === wanted);
  return of(ours, target).map(({ services, processors, programs }) => {
    const beside = (side: string, wanted: Target) =>
      of(side, wanted).find((other) => other.services === services && other.processors === processors)!.programs[
        program
      ]!;
    // The floor's programs translate nothing, so they can only be measured without services.
    return {
      services,
      processors,
      floor: beside(Side.FLOOR, "foreign"),
      peer: beside(Side.PEER, target),
      ours: programs[program]!,
    };
  });
}

/** Whether a goal was met. */
export interface Verdict {
  readonly subject: string;
  readonly goal: string;
  /** The worst result over all numbers of processors, by number of services. */
  readonly reached: ReadonlyMap<number, string>;
  readonly met: boolean;
}

export function verdicts({ measurements, programs }: Pick<Result, "measurements" | "programs">): Verdict[] {
  const goals = casesOf(programs).flatMap((one): Verdict[] => {
    if (one.goal === undefined) return [];
    const rows = rowsOf(one, measurements);
    const judge = (goal: string, of: (row: Row) => number, most: number, digits: number): Verdict => {
      const worst = countsOf(measurements).map(
        (count) => [count, Math.max(...rows.filter(({ services }) => services === count).map(of))] as const,
      );
      return {
        subject: `${one.program}, ${one.what}`,
        goal,
        reached: new Map(worst.map(([count, value]) => [count, value.toFixed(digits)])),
        met: worst.every(([, value]) => value <= most),
      };
    };
    if ("aboveFloor" in one.goal)
      return [judge(`${one.goal.aboveFloor} ns above the floor`, aboveFloor, one.goal.aboveFloor, 1)];
    return [
      judge(`${one.goal.gross.toFixed(2)} of C`, gross, one.goal.gross, 3),
      judge(`${one.goal.net.toFixed(2)} of C, above the floor`, net, one.goal.net, 3),
    ];
  });
  return [...goals, ...netfilterVerdicts(measurements)];
}

/** The operations as a whole. */
export const wholeOperations: readonly { readonly operation: Operation; readonly what: string }[] = [
  { operation: "tcp", what: "TCP: socket, connect, accept, close" },
  { operation: "exchange", what: "UDP: question and answer on one socket" },
  { operation: "new-exchange", what: "UDP: socket, question, answer, close" },
  { operation: "new-connect", what: "UDP: socket, connect, close" },
  { operation: "connect", what: "UDP: connect again" },
  { operation: "getpeername", what: "getpeername" },
];

/** The measurement of a whole operation on a service; for `direct` and `return 1`, on a backend instead. */
export function wholeOperation(
  measurements: readonly Measurement[],
  side: string,
  operation: Operation,
  services: number,
  processors = 1,
): number | undefined {
  const target = side === Side.DIRECT || side === Side.FLOOR ? "foreign" : "service";
  return measurements.find(
    (m) =>
      m.side === side &&
      m.operation === operation &&
      m.target === target &&
      m.services === services &&
      m.processors === processors,
  )?.operationNs;
}

export const countsOf = (measurements: readonly Measurement[]): number[] => [
  ...new Set(measurements.map(({ services }) => services)),
];

/** The measured sides: without programs, with programs, and netfilter's. */
export function sidesOf(measurements: readonly Measurement[]): string[] {
  const found = new Set(measurements.map(({ side }) => side));
  return [...programSides, ...netfilterKinds.map(({ name }) => name)].filter((side) => found.has(side));
}

const programSides: ReadonlySet<string> = new Set(Object.values(Side));

function netfilterVerdicts(measurements: readonly Measurement[]): Verdict[] {
  const others = sidesOf(measurements).filter((side) => !programSides.has(side));
  const compared = others.flatMap(
    (side) =>
      [
        [side, Side.OURS, ""],
        [side, Side.ALONE, ", reverseEntries: older"],
      ] as const,
  );
  return compared.flatMap(([side, own, how]) =>
    wholeOperations.flatMap(({ operation, what }) => {
      const ratios = countsOf(measurements).flatMap((services) => {
        const theirs = wholeOperation(measurements, side, operation, services);
        const ours = wholeOperation(measurements, own, operation, services);
        return theirs === undefined || ours === undefined ? [] : [[services, theirs / ours] as const];
      });
      if (ratios.length === 0) return [];
      return [
        {
          subject: `${what}${how}: beside ${side}`,
          goal: "more per second",
          reached: new Map(ratios.map(([services, ratio]) => [services, `× ${ratio.toFixed(2)}`])),
          met: ratios.every(([, ratio]) => ratio > 1),
        },
      ];
    }),
  );
}
