import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ConfigError, fileSource, firstState, openSource, type Source } from "./index.ts";

const test = suite("sources of services");

async function withFile(text: string, work: (file: string) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "tsbpf-test-"));
  const file = join(directory, "services.yaml");
  writeFileSync(file, text);
  try {
    await work(file);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const failure = (work: Promise<unknown>): Promise<Error & { hint?: string }> =>
  work.then(
    () => new Error("it did not fail"),
    (error: unknown) => error as Error,
  );

test("a file yields its state once, and is read at each iteration", () =>
  withFile("services: []\noptions: { ipv6: false }\n", async (file) => {
    const source = fileSource(file);
    const states = async () => {
      const all = [];
      for await (const { services, options } of source) all.push([services.length, options?.ipv6]);
      return all;
    };
    assert.equal(await states(), [[0, false]]);
    writeFileSync(file, "services: [{ name: a, nodePort: 1, protocol: tcp, backends: [] }]\n");
    assert.equal(await states(), [[1, true]]);
  }));

test("a source is opened by its kind", () =>
  withFile("services: []\n", async (file) => {
    const source = openSource("file", file);
    assert.is(source.name, `file ${file}`);
    assert.equal((await firstState(source)).services, []);
    assert.throws(
      () => openSource("fill", file),
      (error: Error & { hint?: string }) =>
        error.message === 'cannot open a source of services of kind "fill": it is unknown' &&
        error.hint === "did you mean file?",
    );
    assert.throws(() => openSource("constructor", file), /it is unknown/);
  }));

test("mistakes in a file are errors of the iteration, not of opening", () =>
  withFile("services: none\n", async (file) => {
    const error = await failure(firstState(openSource("file", file)));
    assert.instance(error, ConfigError);
    assert.match(error.message, `${file}:1:11: services: expected a list of services`);
    assert.match((await failure(firstState(fileSource(`${file}.none`)))).message, /there is no such file/);
  }));

test("the first state closes the source, and a source without states is an error", async () => {
  let closed = false;
  const endless: Source = {
    name: "endless",
    async *[Symbol.asyncIterator]() {
      try {
        for (let node = 0; ; node++) yield { services: [], node: String(node) };
      } finally {
        closed = true;
      }
    },
  };
  assert.is((await firstState(endless)).node, "0");
  assert.ok(closed);
  const empty: Source = { name: "empty", async *[Symbol.asyncIterator]() {} };
  assert.is((await failure(firstState(empty))).message, "empty gave no services");
});

test.run();
