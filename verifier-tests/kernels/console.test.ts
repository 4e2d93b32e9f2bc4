import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ConsoleReader, formatMessage, type GuestMessage } from "./console.ts";

const test = suite("guest console");

const messages: readonly GuestMessage[] = [
  { type: "start", release: "6.12.1", cases: 2 },
  { type: "result", result: { name: "a/ü\n", status: "pass" } },
  { type: "end", results: 1 },
];

function read(pieces: readonly (readonly [stream: string, text: string])[]): {
  reader: ConsoleReader;
  got: GuestMessage[];
} {
  const got: GuestMessage[] = [];
  const reader = new ConsoleReader((message) => got.push(message));
  for (const [stream, text] of pieces) reader.write(stream, text);
  reader.end();
  return { reader, got };
}

test("finds messages among kernel lines, with CRLF or LF, after a prefix", () => {
  const [start, result, end] = messages.map(formatMessage) as [string, string, string];
  const { reader, got } = read([["output", `[    1.2] booting\r\n${start}\r\r\n[    2.0] noise ${result}\n${end}\n`]]);
  assert.equal(got, messages);
  assert.equal(reader.tail(10), ["[    1.2] booting"]);
  assert.is(reader.garbled, 0);
});

test("joins the pieces of a line, per stream", () => {
  const line = formatMessage(messages[0]!);
  const pieces = [...line].map((character) => ["output", character] as const);
  const { got, reader } = read([
    ...pieces.slice(0, 20),
    ["console", "[ 3.0] in between\n"],
    ...pieces.slice(20),
    ["output", "\n"],
  ]);
  assert.equal(got, [messages[0]]);
  assert.equal(reader.tail(5), ["[ 3.0] in between"]);
});

test("counts truncated and interleaved lines", () => {
  const line = formatMessage(messages[1]!);
  const { got, reader } = read([
    ["output", `${line.slice(0, -3)}\n${line.slice(0, 30)}[ 4.0] kernel${line.slice(30)}\n${line}\n`],
  ]);
  assert.equal(got, [messages[1]]);
  assert.is(reader.garbled, 2);
});

test("keeps the last lines without colours, and an unfinished one", () => {
  const lines = Array.from({ length: 1000 }, (_, i) => `\u001b[31mline ${i}\u001b[0m\n`).join("");
  const reader = new ConsoleReader(() => {});
  reader.write("output", `${lines}Kernel panic`);
  assert.equal(reader.tail(3), ["line 998", "line 999", "Kernel panic"]);
});

test.run();
