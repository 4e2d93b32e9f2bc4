/** Replacements for TypeScript that cannot decide by a value of the running program. */

const methods: Readonly<Record<string, string>> = {
  "===": ".eq(…)",
  "==": ".eq(…)",
  "!==": ".ne(…)",
  "!=": ".ne(…)",
  "<": ".lt(…)",
  "<=": ".le(…)",
  ">": ".gt(…)",
  ">=": ".ge(…)",
  "+": ".add(…)",
  "-": ".sub(…)",
  "*": ".mul(…)",
  "/": ".div(…)",
  "%": ".mod(…)",
  "&": ".and(…)",
  "|": ".or(…)",
  "^": ".xor(…)",
  "<<": ".shl(…)",
  ">>": ".shr(…)",
  ">>>": ".shr(…)",
  "unary -": ".negate()",
  "unary ~": ".not()",
};

const statements: Readonly<Record<string, string>> = {
  if: "write b.if(condition, () => …)",
  "?:": "write b.select(condition, one, other) for numbers, or b.if(condition, () => …, () => …)",
  "&&": "write one.and(other)",
  "||": "write one.or(other); for a lookup's result, .orElse(…)",
  "??": "a lookup always gives an object, even for null: write .orReturn(…), .orElse(…) or .match(…)",
  "!": "write condition.not()",
  while: "write b.loop(count, () => …), and b.break() to leave it",
  for: "write b.loop(count, (index) => …), and b.break() to leave it",
  switch: "write b.switch(value, [[one, () => …], [other, () => …]])",
  case: "write b.switch(value, [[one, () => …], [other, () => …]])",
  "for … in": "write .at(index) on an array in memory, and name the fields of a struct",
  throw: "write b.return(…) to end the program",
  template: "it has no text before that",
  index: "write .at(index) on an array in memory",
  await: "there is nothing to wait for",
};

/** The error for a construct: what it does, and what to write. */
export function remedyFor(construct: string): string {
  const assigned = /^(.+)=$/.exec(construct)?.[1];
  const method = methods[construct] ?? (assigned === undefined ? undefined : methods[assigned]);
  const remedy = statements[construct] ?? (method === undefined ? "use the methods of the value" : `write ${method}`);
  const shown = names[construct] ?? `\`${construct}\``;
  return `${shown} works on this value while the program is built, but only the running program knows it: ${remedy}`;
}

const names: Readonly<Record<string, string>> = { template: "a template literal", index: "an index in [ ]" };
