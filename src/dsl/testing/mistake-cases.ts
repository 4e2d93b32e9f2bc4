/**
 * TypeScript that means something else than it seems to, and what to write.
 *
 * Each case is the body of a program on connect4: `b` and `ctx` are its
 * parameters, `blocked` is a hash map of u32 to u32, `ports` an array map of
 * structs, `always` a boolean of the building process. `docs/mistakes.md` is
 * made from this table.
 */
export interface MistakeCase {
  /** The intention. */
  readonly title: string;
  readonly mistake: string;
  /** The hook of the program; `cgroup.connect4` if absent. */
  readonly hook?: string;
  /** The right form, which builds. */
  readonly instead: string;
  /** Part of the type checker's message; absent if it accepts the code. */
  readonly editor?: string;
  /** Part of the build's message, types unchecked; absent if the build cannot get so far. */
  readonly build?: string;
}

const knows = (construct: string) => `${construct} works on this value while the program is built`;
const end = "return PROCEED;";

/** An operator that has a method in its place. */
const operator = (symbol: string, method: string, editor?: string): MistakeCase => ({
  title: `compute or compare with \`${symbol}\``,
  mistake: `const value = ctx.protocol ${symbol} 6;\nb.update(blocked, 1, value as never);\n${end}`,
  instead: `const value = ctx.protocol.${method}(6);\n${
    ["eq", "ne", "lt", "le", "gt", "ge"].includes(method)
      ? "b.if(value, () => b.return(REJECT));"
      : "b.update(blocked, 1, value);"
  }\n${end}`,
  build: knows(`\`${symbol}\``),
  ...(editor !== undefined && { editor }),
});

const arithmetic = "The left-hand side of an arithmetic operation must be of type";
const overlap = "no overlap";

export const mistakeCases: readonly MistakeCase[] = [
  {
    title: "branch with `if`",
    mistake: `if (ctx.protocol.eq(6)) b.return(REJECT);\n${end}`,
    instead: `b.if(ctx.protocol.eq(6), () => b.return(REJECT));\n${end}`,
    build: knows("`if`"),
  },
  {
    title: "branch with `if` on a condition in a variable",
    mistake: `const isTcp = ctx.protocol.eq(6);\nif (isTcp) b.return(REJECT);\n${end}`,
    instead: `const isTcp = ctx.protocol.eq(6);\nb.if(isTcp, () => b.return(REJECT));\n${end}`,
    build: knows("`if`"),
  },
  {
    title: "branch with `if` on a function's condition",
    mistake: `const isTcp = () => ctx.protocol.eq(6);\nif (isTcp()) b.return(REJECT);\n${end}`,
    instead: `const isTcp = () => ctx.protocol.eq(6);\nb.if(isTcp(), () => b.return(REJECT));\n${end}`,
    build: knows("`if`"),
  },
  {
    title: "branch with `if` on a number",
    mistake: `if (ctx.userPort) b.return(REJECT);\n${end}`,
    instead: `b.if(ctx.userPort.ne(be16(0)), () => b.return(REJECT));\n${end}`,
    build: knows("`if`"),
  },
  {
    title: "branch with `if` on a lookup",
    mistake: `if (b.lookup(blocked, 1)) b.return(REJECT);\n${end}`,
    instead: `b.lookup(blocked, 1).ifFound(() => b.return(REJECT));\n${end}`,
    build: knows("`if`"),
  },
  {
    title: "choose with `?:`",
    mistake: `return ctx.userPort.eq(be16(80)) ? REJECT : PROCEED;`,
    instead: `b.if(ctx.userPort.eq(be16(80)), () => b.return(REJECT));\n${end}`,
    build: knows("`?:`"),
  },
  {
    title: "join conditions with `&&`",
    mistake: `b.if(ctx.protocol.eq(6) && ctx.userPort.eq(be16(80)), () => b.return(REJECT));\n${end}`,
    instead: `b.if(ctx.protocol.eq(6).and(ctx.userPort.eq(be16(80))), () => b.return(REJECT));\n${end}`,
    build: knows("`&&`"),
  },
  {
    title: "join conditions with `||`",
    mistake: `b.if(ctx.protocol.eq(6) || ctx.protocol.eq(17), () => b.return(REJECT));\n${end}`,
    instead: `b.if(ctx.protocol.eq(6).or(ctx.protocol.eq(17)), () => b.return(REJECT));\n${end}`,
    build: knows("`||`"),
  },
  {
    title: "negate a condition with `!`",
    mistake: `b.if(!ctx.protocol.eq(6) as never, () => b.return(REJECT));\n${end}`,
    instead: `b.if(ctx.protocol.eq(6).not(), () => b.return(REJECT));\n${end}`,
    build: knows("`!`"),
  },
  {
    title: "give a default with `??`",
    mistake:
      "const found = b.lookup(blocked, 1) ?? b.lookup(blocked, 2);\n" +
      `found.ifFound(() => b.return(REJECT));\n${end}`,
    instead:
      "b.lookup(blocked, 1).match(\n  () => b.return(REJECT),\n" +
      `  () => b.lookup(blocked, 2).ifFound(() => b.return(REJECT)),\n);\n${end}`,
    build: knows("`??`"),
  },
  {
    title: "give a default with `||`",
    mistake:
      "const found = b.lookup(blocked, 1) || b.lookup(blocked, 2);\n" +
      `found.ifFound(() => b.return(REJECT));\n${end}`,
    instead:
      "const found = b.lookup(blocked, 1).orReturn(PROCEED);\nb.if(found.value.eq(1), () => b.return(REJECT));\n" +
      `${end}`,
    build: knows("`||`"),
  },
  {
    title: "loop with `while`",
    mistake: `while (ctx.protocol.eq(6)) b.return(REJECT);\n${end}`,
    instead: `b.loop(4, () => b.if(ctx.protocol.eq(6), () => b.return(REJECT)));\n${end}`,
    build: knows("`while`"),
  },
  {
    title: "loop with `do … while`",
    mistake: `do b.update(blocked, 1, 1);\nwhile (ctx.protocol.eq(6));\n${end}`,
    instead: `b.loop(4, () => b.if(ctx.protocol.ne(6), () => b.break()));\n${end}`,
    build: knows("`while`"),
  },
  {
    title: "loop with `for` up to a number of the running program",
    mistake: `for (let i = 0; ctx.protocol.gt(i); i++) b.update(blocked, i, 1);\n${end}`,
    instead:
      "b.loop(4, (i) => {\n  b.if(ctx.protocol.le(i), () => b.break());\n  b.update(blocked, i, " + `1);\n});\n${end}`,
    build: knows("`for`"),
  },
  {
    title: "choose with `switch`",
    mistake: `switch (ctx.protocol as unknown) {\n  case 6:\n    b.return(REJECT);\n}\n${end}`,
    instead: `b.switch(ctx.protocol, [[6, () => b.return(REJECT)]]);\n${end}`,
    build: knows("`switch`"),
  },
  {
    title: "choose with `switch (true)`",
    mistake: `switch (true as unknown) {\n  case ctx.protocol.eq(6):\n    b.return(REJECT);\n}\n${end}`,
    instead: `b.switch(ctx.protocol, [[6, () => b.return(REJECT)]]);\n${end}`,
    build: knows("`case`"),
  },
  operator("===", "eq", overlap),
  operator("==", "eq", overlap),
  operator("!==", "ne", overlap),
  operator("!=", "ne", overlap),
  operator("<", "lt", "Operator '<' cannot be applied"),
  operator("<=", "le", "Operator '<=' cannot be applied"),
  operator(">", "gt", "Operator '>' cannot be applied"),
  operator(">=", "ge", "Operator '>=' cannot be applied"),
  operator("+", "add", "Operator '+' cannot be applied"),
  operator("-", "sub", arithmetic),
  operator("*", "mul", arithmetic),
  operator("/", "div", arithmetic),
  operator("%", "mod", arithmetic),
  operator("&", "and", arithmetic),
  operator("|", "or", arithmetic),
  operator("^", "xor", arithmetic),
  operator("<<", "shl", arithmetic),
  operator(">>", "shr", arithmetic),
  operator(">>>", "shr", arithmetic),
  {
    title: "raise to a power with `**`",
    mistake: `const value = ctx.protocol ** 2;\nb.update(blocked, 1, value as never);\n${end}`,
    instead: `b.update(blocked, 1, ctx.protocol.mul(ctx.protocol));\n${end}`,
    editor: arithmetic,
    build: knows("`**`"),
  },
  {
    title: "negate a number with `-`",
    mistake: `const value = -ctx.protocol;\nb.update(blocked, 1, value as never);\n${end}`,
    instead: `b.update(blocked, 1, ctx.protocol.negate());\n${end}`,
    build: knows("`unary -`"),
  },
  {
    title: "reverse bits with `~`",
    mistake: `const value = ~ctx.protocol;\nb.update(blocked, 1, value as never);\n${end}`,
    instead: `b.update(blocked, 1, ctx.protocol.not());\n${end}`,
    build: knows("`unary ~`"),
  },
  {
    title: "count with `+=`",
    mistake: `let sum = 1;\n// @ts-ignore\nsum += ctx.protocol;\nb.update(blocked, 1, sum);\n${end}`,
    instead:
      "const sum = b.variable(u32, 1);\nsum.set(sum.get().add(ctx.protocol));\nb.update(blocked, 1, sum.get());\n" +
      `${end}`,
    build: knows("`+=`"),
  },
  {
    title: "write a number into text",
    mistake: `console.log(\`protocol \${ctx.protocol}\`);\n${end}`,
    instead: `b.update(blocked, 1, ctx.protocol);\n${end}`,
    build: knows("a template literal"),
  },
  {
    title: "convert with `Boolean()`",
    mistake: `if (Boolean(ctx.protocol.eq(6))) b.return(REJECT);\n${end}`,
    instead: `b.if(ctx.protocol.eq(6), () => b.return(REJECT));\n${end}`,
    build: knows("`Boolean()`"),
  },
  {
    title: "convert with `Number()`",
    mistake: `b.update(blocked, Number(ctx.protocol), 1);\n${end}`,
    instead: `b.update(blocked, ctx.protocol, 1);\n${end}`,
    build: knows("`Number()`"),
  },
  {
    title: "ask for the type of a value",
    mistake: `if (typeof ctx.protocol === "number") b.return(REJECT);\n${end}`,
    instead: `b.if(ctx.protocol.ne(0), () => b.return(REJECT));\n${end}`,
    build: knows("`typeof`"),
  },
  {
    title: "index an array of the building process",
    mistake: `const limits = [10, 20];\nb.update(blocked, 1, limits[ctx.protocol as never]!);\n${end}`,
    instead:
      "const limit = b.variable(u32, 10);\nb.if(ctx.protocol.eq(1), () => limit.set(20));\n" +
      `b.update(blocked, 1, limit.get());\n${end}`,
    build: knows("an index in [ ]"),
  },
  {
    title: "make a condition and use it nowhere",
    mistake: `ctx.protocol.eq(6);\n${end}`,
    instead: `b.if(ctx.protocol.eq(6), () => b.return(REJECT));\n${end}`,
    build: "this condition is never used",
  },
  {
    title: "join conditions and use them nowhere",
    mistake: `const both = ctx.protocol.eq(6).and(ctx.userPort.eq(be16(80)));\nvoid both;\n${end}`,
    instead:
      "const both = ctx.protocol.eq(6).and(ctx.userPort.eq(be16(80)));\n" +
      `b.if(both, () => b.return(REJECT));\n${end}`,
    build: "this condition is never used",
  },
  {
    title: "look something up and use it nowhere",
    mistake: `b.lookup(blocked, 1);\n${end}`,
    instead: `b.lookup(blocked, 1).ifFound(() => b.return(REJECT));\n${end}`,
    build: "this lookup is never used",
  },
  {
    title: "go on after the program has returned",
    mistake: `b.return(PROCEED);\nb.update(blocked, 1, 1);\nreturn REJECT;`,
    instead: `b.update(blocked, 1, 1);\n${end}`,
    build: "this never runs",
  },
  {
    title: "return twice",
    mistake: `b.return(PROCEED);\nb.return(REJECT);\n${end}`,
    instead: `b.return(PROCEED);\n${end}`,
    build: "this never runs",
  },
  {
    title: "go on after leaving a loop",
    mistake: `b.loop(4, (i) => {\n  b.break();\n  b.update(blocked, i, 1);\n});\n${end}`,
    instead: `b.loop(4, (i) => {\n  b.update(blocked, i, 1);\n  b.break();\n});\n${end}`,
    build: "this never runs",
  },
  {
    title: "go on in a nested block after the program has returned",
    mistake: `b.return(PROCEED);\nfor (const key of [1, 2]) {\n  b.update(blocked, key, 1);\n}\n${end}`,
    instead: `for (const key of [1, 2]) {\n  b.update(blocked, key, 1);\n}\n${end}`,
    build: "this never runs",
  },
  {
    title: "go on after both branches have returned",
    mistake:
      "b.if(\n  ctx.protocol.eq(6),\n  () => b.return(REJECT),\n  () => b.return(PROCEED),\n);\n" +
      `b.update(blocked, 1, 1);\n${end}`,
    instead: `b.if(ctx.protocol.eq(6), () => b.return(REJECT));\nb.update(blocked, 1, 1);\n${end}`,
    build: "this never runs",
  },
];

/** TypeScript that looks like a mistake and is none: it decides by values of the building process. */
export const rightPrograms: readonly { readonly title: string; readonly body: string }[] = [
  {
    title: "a choice of the building process",
    body: `if (always) b.if(ctx.protocol.eq(6), () => b.return(REJECT));\n${end}`,
  },
  {
    title: "a statement that runs where a boolean is true",
    body: `always && b.if(ctx.protocol.eq(6), () => b.return(REJECT));\n${end}`,
  },
  {
    title: "one of two conditions, chosen while the program is built",
    body: `b.if(always ? ctx.protocol.eq(6) : ctx.protocol.eq(17), () => b.return(REJECT));\n${end}`,
  },
  {
    title: "a condition that may be absent",
    body:
      "const extra = always ? ctx.protocol.eq(6) : undefined;\nif (extra) b.if(extra, () => b.return(REJECT));\n" +
      `${end}`,
  },
  {
    title: "a condition that a function may leave out",
    body:
      "const extra = () => {\n  if (!always) return undefined;\n  return ctx.protocol.eq(6);\n};\n" +
      `const found = extra();\nif (found !== undefined) b.if(found, () => b.return(REJECT));\n${end}`,
  },
  {
    title: "a function's optional result tested at once",
    body:
      "const extra = () => {\n  if (!always) return undefined;\n  return ctx.protocol.eq(6);\n};\n" +
      `b.if(extra() ?? ctx.protocol.eq(17), () => b.return(REJECT));\n${end}`,
  },
  {
    title: "a macro that takes a number of either kind",
    body:
      'const double = (value: number | Scalar<"u32">) => (typeof value === "number" ? value * 2 : value.mul(2));\n' +
      `b.update(blocked, 1, double(ctx.protocol) as Scalar<"u32">);\n${end}`,
  },
  {
    title: "conditions folded over a list",
    body:
      "const any = [6, 17].map((protocol) => () => ctx.protocol.eq(protocol))" +
      `.reduce((all, one) => () => all().or(one));\nb.if(any(), () => b.return(REJECT));\n${end}`,
  },
  {
    title: "a loop of the building process",
    body: `for (const protocol of [6, 17]) b.if(ctx.protocol.eq(protocol), () => b.return(REJECT));\n${end}`,
  },
  {
    title: "an end that the building process chooses, and another behind it",
    body:
      "const refuse = () => b.return(REJECT);\nb.if(ctx.protocol.eq(6), () => {\n  if (always) refuse();\n" +
      `  b.update(blocked, 1, 1);\n  b.return(PROCEED);\n});\n${end}`,
  },
  {
    title: "a second half that is a function",
    body: `b.if(\n  ctx.protocol.eq(6).and(() => ctx.userPort.eq(be16(80))),\n  () => b.return(REJECT),\n);\n${end}`,
  },
];
