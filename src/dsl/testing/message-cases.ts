/** Mistakes that the types refuse with a remedy, and building too where no type checker runs. */
import type { MistakeCase } from "./mistake-cases.ts";

const end = "return PROCEED;";
const nothingTakes = "nothing takes this result: write b.return(…)";

/** Functions that return something which nothing takes. */
const callbacks: readonly MistakeCase[] = [
  {
    title: "end the program by a branch's value",
    mistake: `b.if(ctx.protocol.eq(6), () => REJECT);\n${end}`,
    instead: `b.if(ctx.protocol.eq(6), () => b.return(REJECT));\n${end}`,
    editor: nothingTakes,
    build: "nothing takes 0, which a function given to b.if() returns: write b.return(value)",
  },
  {
    title: "end the program by the other branch's value",
    mistake: `b.if(\n  ctx.protocol.eq(6),\n  () => {},\n  () => REJECT,\n);\n${end}`,
    instead: `b.if(ctx.protocol.ne(6), () => b.return(REJECT));\n${end}`,
    editor: nothingTakes,
    build: "nothing takes 0",
  },
  {
    title: "end the program by the value of a case",
    mistake: `b.switch(ctx.protocol, [[6, () => REJECT]]);\n${end}`,
    instead: `b.switch(ctx.protocol, [[6, () => b.return(REJECT)]]);\n${end}`,
    editor: nothingTakes,
    build: "nothing takes 0",
  },
  {
    title: "end the program by a value in a loop",
    mistake: `b.loop(4, () => REJECT);\n${end}`,
    instead: `b.loop(4, (i) => b.if(ctx.protocol.eq(i), () => b.return(REJECT)));\n${end}`,
    editor: nothingTakes,
    build: "nothing takes 0, which a function given to b.loop() returns",
  },
  {
    title: "end the program by the value of `ifFound`",
    mistake: `b.lookup(blocked, 1).ifFound(() => REJECT);\n${end}`,
    instead: `b.lookup(blocked, 1).ifFound(() => b.return(REJECT));\n${end}`,
    editor: nothingTakes,
    build: "nothing takes 0, which a function given to .ifFound() returns",
  },
  {
    title: "end the program by the value of `match`",
    mistake: `b.lookup(blocked, 1).match(\n  () => b.return(REJECT),\n  () => PROCEED,\n);\n${end}`,
    instead: `b.lookup(blocked, 1).ifFound(() => b.return(REJECT));\n${end}`,
    editor: nothingTakes,
    build: "nothing takes 1, which a function given to .match() returns",
  },
  {
    title: "end the program by the value of `orElse`",
    mistake: `const found = b.lookup(blocked, 1).orElse(() => PROCEED);\nfound.value.set(1);\n${end}`,
    instead: `const found = b.lookup(blocked, 1).orReturn(PROCEED);\nfound.value.set(1);\n${end}`,
    editor: nothingTakes,
    build: "write .orReturn(value)",
  },
  {
    title: "write to a map in a branch, and drop the result",
    mistake: `b.if(ctx.protocol.eq(6), () => b.update(blocked, 1, 1));\n${end}`,
    instead: `b.if(ctx.protocol.eq(6), () => {\n  b.update(blocked, 1, 1);\n});\n${end}`,
    editor: nothingTakes,
    build: "put the function's statement in { }",
  },
  {
    title: "wait in a branch",
    mistake: `b.if(ctx.protocol.eq(6), async () => b.return(REJECT));\n${end}`,
    instead: `b.if(ctx.protocol.eq(6), () => b.return(REJECT));\n${end}`,
    editor: nothingTakes,
    build: "leave out async and await",
  },
  {
    title: "return at once where a function is expected",
    mistake: `b.if(ctx.protocol.eq(6), b.return(REJECT) as never);\n${end}`,
    instead: `b.if(ctx.protocol.eq(6), () => b.return(REJECT));\n${end}`,
    build: "b.if() takes a function, () => { … }, and was given undefined",
  },
];

/** Values in a wrong place. */
const places: readonly MistakeCase[] = [
  {
    title: "use a lookup's result without a check",
    mistake: `b.lookup(blocked, 1).value.set(1);\n${end}`,
    instead: `b.lookup(blocked, 1).orReturn(PROCEED).value.set(1);\n${end}`,
    editor: "nothing may have been found: write .orReturn(…), .ifFound(…) or .match(…) first",
    build: "nothing may have been found, so .value may not be there: write .orReturn(…)",
  },
  {
    title: "branch on a lookup",
    mistake: `b.if(b.lookup(blocked, 1) as never, () => b.return(REJECT));\n${end}`,
    instead: `b.if(b.lookup(blocked, 1).isFound(), () => b.return(REJECT));\n${end}`,
    build: "b.if() takes a condition, not the result of a lookup: write .isFound()",
  },
  {
    title: "branch on a boolean of the building process",
    mistake: `b.if(always as never, () => b.return(REJECT));\n${end}`,
    instead: `if (always) b.if(ctx.protocol.eq(6), () => b.return(REJECT));\n${end}`,
    build: "b.if() takes a condition, not true: it is known while the program is built",
  },
  {
    title: "compare a port as a number",
    mistake: `b.if(ctx.userPort.lt(1024), () => b.return(REJECT));\n${end}`,
    instead: `b.if(ctx.userPort.toHost().lt(1024), () => b.return(REJECT));\n${end}`,
    editor: "be16 is in network byte order: write .toHost().lt(…)",
    build: "write .toHost().lt(…)",
  },
  {
    title: "compute in network byte order",
    mistake: `ctx.userPort.set(ctx.userPort.add(be16(1)));\n${end}`,
    instead: `ctx.userPort.set(ctx.userPort.toHost().add(1).toBig());\n${end}`,
    editor: "be16 is in network byte order: write .toHost().add(…)",
    build: "write .toHost().add(…)",
  },
  {
    title: "compare an address with text",
    mistake: `b.if(ctx.userIp4.eq("127.0.0.1"), () => b.return(REJECT));\n${end}`,
    instead: `b.if(ctx.userIp4.eq(ipv4("127.0.0.1")), () => b.return(REJECT));\n${end}`,
    editor: 'text is no number: write ipv4(\\"…\\")',
  },
  {
    title: "use a variable as a number",
    mistake: `const sum = b.variable(u32, 1);\nb.update(blocked, 1, sum as never);\n${end}`,
    instead: `const sum = b.variable(u32, 1);\nb.update(blocked, 1, sum.get());\n${end}`,
    build: "a variable of the program is no number of kind u32: write .get()",
  },
  {
    title: "select between conditions",
    mistake: `b.if(b.select(ctx.protocol.eq(6), ctx.userPort.eq(be16(80)) as never, 0) as never, () => {});\n${end}`,
    instead: `b.if(ctx.protocol.eq(6).and(ctx.userPort.eq(be16(80))), () => b.return(REJECT));\n${end}`,
    build: "b.select() takes a number of the running program second",
  },
  {
    title: "read a packet at an offset of the running program",
    hook: "cgroup.egress",
    mistake:
      `const Header = struct("header", { first: u32 });\n` +
      `const offset = ctx.len.and(60);\n` +
      `b.packet(ctx, Header, offset as never).ifFound(() => {});\n` +
      `return 1;`,
    instead:
      `const Header = struct("header", { first: u32 });\n` +
      `b.packet(ctx, Header, 20).ifFound(({ first }) => b.if(first.eq(0), () => b.return(0)));\n` +
      `return 1;`,
    build: "b.packet() takes an offset that is known while the program is built",
  },
  {
    title: "refuse with an error number that does not exist",
    mistake: `b.setRetval(-(Errno as unknown as Record<string, number>)["EGAIN"]!);\n${end}`,
    instead: `b.setRetval(-Errno.EAGAIN);\n${end}`,
    build: "NaN is no number of kind i32",
  },
];

/** What a hook or the machine does not have. */
const limits: readonly MistakeCase[] = [
  {
    title: "call a helper that the hook lacks",
    hook: "cgroup.recvmsg4",
    mistake: `b.setRetval(-Errno.EPERM);\n${end}`,
    instead: `b.if(ctx.protocol.eq(6), () => {});\n${end}`,
    editor: "the kernel has no helper setRetval for programs of cgroup/recvmsg4",
    build: "bpf_set_retval (Linux 5.18) serves cgroup/connect4",
  },
  {
    title: "ask for the process's cgroup in a program on packets",
    hook: "cgroup.egress",
    mistake: `b.if(b.getCurrentCgroupId().eq(1), () => b.return(0));\nreturn 1;`,
    instead: `b.if(helper("bpf_skb_cgroup_id")(b, ctx).eq(1), () => b.return(0));\nreturn 1;`,
    editor: "call helper(",
    build: 'call helper("bpf_skb_cgroup_id")(b, ctx) instead',
  },
  {
    title: "return a number that the hook does not take",
    mistake: `return 7 as never;`,
    instead: end,
    build: "programs of cgroup/connect4 return REJECT (0) or PROCEED (1), and this one returns 7",
  },
  {
    title: "return nothing",
    mistake: `b.update(blocked, 1, 1);\nreturn undefined as never;`,
    instead: `b.update(blocked, 1, 1);\n${end}`,
    build: "and this one returns nothing",
  },
  {
    title: "give two maps one name",
    mistake:
      `const other = hash("blocked", { key: u64, value: u32, maxEntries: 8 });\n` +
      `b.update(blocked, 1, 1);\n` +
      `b.update(other, 1n, 1);\n` +
      `${end}`,
    instead:
      `const other = hash("others", { key: u64, value: u32, maxEntries: 8 });\n` +
      `b.update(blocked, 1, 1);\n` +
      `b.update(other, 1n, 1);\n` +
      `${end}`,
    build: "two different maps are named blocked: give one another name",
  },
  {
    title: "put more on the stack than it holds",
    mistake:
      `const Large = struct("large", { bytes: arrayOf(u8, 600) });\n` +
      `const large = b.zeroed(Large);\n` +
      `b.if(large.bytes.at(5).eq(1), () => b.return(REJECT));\n` +
      `b.update(hash("larges", { key: u32, value: Large, maxEntries: 1 }), 1, large);\n` +
      `${end}`,
    instead:
      `const Large = struct("large", { bytes: arrayOf(u8, 600) });\n` +
      `const scratch = percpuArray("scratch", { value: Large, maxEntries: 1 });\n` +
      `const large = b.lookup(scratch, 0).orReturn(PROCEED);\n` +
      `b.clear(large);\n` +
      `b.if(large.bytes.at(5).eq(1), () => b.return(REJECT));\n` +
      `b.update(hash("larges", { key: u32, value: Large, maxEntries: 1 }), 1, large);\n` +
      `${end}`,
    build: "the stack holds 512 bytes",
  },
];

/** Values that go a way before JavaScript tests or converts them. */
const ways: readonly MistakeCase[] = [
  {
    title: "test a value in an object",
    mistake: `const call = { port: ctx.userPort };\nif (call.port) b.return(REJECT);\n${end}`,
    instead: `const call = { port: ctx.userPort };\nb.if(call.port.ne(be16(0)), () => b.return(REJECT));\n${end}`,
    build: "`if` works on this value",
  },
  {
    title: "test values in an array",
    mistake: `const ports = [ctx.protocol, ctx.family];\nfor (const port of ports) if (port) b.return(REJECT);\n${end}`,
    instead:
      `const ports = [ctx.protocol, ctx.family];\n` +
      `for (const port of ports) b.if(port.ne(0), () => b.return(REJECT));\n` +
      `${end}`,
    build: "`if` works on this value",
  },
  {
    title: "join conditions with `some`",
    mistake: `if ([ctx.protocol.eq(6), ctx.protocol.eq(17)].some(Boolean)) b.return(REJECT);\n${end}`,
    instead:
      `b.if(\n` +
      `  [ctx.protocol.eq(6), ctx.protocol.eq(17)].reduce((all, one) => all.or(one)),\n` +
      `  () => b.return(REJECT),\n` +
      `);\n` +
      `${end}`,
    build: "`.some(Boolean)` works on this value",
  },
  {
    title: "test a value in a function that takes it",
    mistake:
      `const isSet = (value: Scalar<"u32">) => (value ? 1 : 0);\n` +
      `b.update(blocked, 1, isSet(ctx.protocol));\n` +
      `${end}`,
    instead:
      `const isSet = (value: Scalar<"u32">) => b.select(value.ne(0), value, 0);\n` +
      `b.update(blocked, 1, isSet(ctx.protocol));\n` +
      `${end}`,
    build: "`?:` works on this value",
  },
  {
    title: "assign with `&&=`",
    mistake:
      `let isTcp: unknown = ctx.protocol.eq(6);\n` +
      `isTcp &&= ctx.userPort.eq(be16(80));\n` +
      `b.if(isTcp as never, () => b.return(REJECT));\n` +
      `${end}`,
    instead:
      `const isWeb = ctx.protocol.eq(6).and(ctx.userPort.eq(be16(80)));\n` +
      `b.if(isWeb, () => b.return(REJECT));\n` +
      `${end}`,
    build: "`&&=` works on this value",
  },
  {
    title: "assert a condition",
    mistake:
      `console.assert(true);\n` +
      `const assert = (condition: unknown) => void (condition || process.exit(1));\n` +
      `assert(ctx.protocol.eq(6));\n` +
      `${end}`,
    instead: `b.if(ctx.protocol.ne(6), () => b.return(REJECT));\n${end}`,
    build: "`assert()` works on this value",
  },
  {
    title: "find the larger of two numbers with `Math.max`",
    mistake: `b.update(blocked, 1, Math.max(ctx.protocol as never, 1));\n${end}`,
    instead: `b.update(blocked, 1, b.select(ctx.protocol.gt(1), ctx.protocol, 1));\n${end}`,
    build: "JavaScript cannot compute with it",
  },
  {
    title: "iterate over a number",
    mistake: `for (const bit of ctx.protocol as unknown as number[]) b.update(blocked, bit, 1);\n${end}`,
    instead: `b.loop(ctx.protocol.and(7), (bit) => {\n  b.update(blocked, bit, 1);\n});\n${end}`,
    build: "JavaScript cannot iterate over it",
  },
  {
    title: "throw a value",
    mistake: `if (always) throw ctx.protocol;\n${end}`,
    instead: `b.if(ctx.protocol.eq(6), () => b.return(REJECT));\n${end}`,
    build: "`throw` works on this value",
  },
];

export const messageCases: readonly MistakeCase[] = [...callbacks, ...places, ...limits, ...ways];
