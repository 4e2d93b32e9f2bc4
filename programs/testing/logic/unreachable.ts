/** A check for a null that never is one. */
export interface NeverNull {
  /** The file under programs/. */
  readonly file: string;
  /** The line of TypeScript, without its indentation. */
  readonly line: string;
  readonly why: string;
}

/** Every branch that goes one way only, with the reason why: the verifier wants the check, and nothing can have it fail. */
export const neverNull: readonly NeverNull[] = [
  {
    file: "flows.ts",
    line: "return b.lookup(generation, 0).orReturn(1).value;",
    why: "the array has an element 0",
  },
  {
    file: "flows.ts",
    line: "b.skStorageGet(to.maps.flows, to.sk).ifFound((known) => {",
    why: "it has been made just before",
  },
  {
    file: "flows.ts",
    line: "b.skStorageGet(olderFlows, socket).ifFound(({ peers }) => {",
    why: "it was made with the first older flow",
  },
  {
    file: "events.ts",
    line: "b.lookup(eventsLost, 0).ifFound((lost) => lost.value.set(lost.value.add(1)));",
    why: "the array has an element 0",
  },
  {
    file: "service.ts",
    line: "const bits = b.lookup(to.maps.serviceFilter, word).orReturn(PROCEED);",
    why: "the array has an element for each word that a hash may name",
  },
];
