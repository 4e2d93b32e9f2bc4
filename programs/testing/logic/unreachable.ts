/** A null check that never fails. */
export interface NeverNull {
  /** The file under programs/. */
  readonly file: string;
  /** The line of TypeScript, without its indentation. */
  readonly line: string;
  readonly why: string;
}

/** Every branch that goes one way only: the verifier demands the check, and nothing makes it fail. */
export const neverNull: readonly NeverNull[] = [
  {
    file: "reverse-nat.ts",
    line: "return call.b.lookup(generation, 0).orReturn(1).value;",
    why: "the array has an element 0",
  },
  {
    file: "reverse-nat.ts",
    line: "b.skStorageGet(maps.flows, call.socket).ifFound((known) => {",
    why: "the line above it made it",
  },
  {
    file: "events.ts",
    line: "b.lookup(eventsLost, 0).ifFound((lost) => lost.value.set(lost.value.add(1)));",
    why: "the array has an element 0",
  },
  {
    file: "find-service.ts",
    line: "const bits = b.lookup(maps.serviceFilter, word).orReturn(PROCEED);",
    why: "the array has an element for each word that a hash may name",
  },
];
