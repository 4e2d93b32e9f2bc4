import * as assert from "uvu/assert";
import {
  add,
  call,
  exit,
  jeq,
  label,
  load as ldx,
  loadMap,
  mov,
  program,
  r0,
  r1,
  r10,
  r2,
  r3,
  r4,
  r6,
  r7,
  store,
  type Item,
} from "../asm/index.ts";
import { openRingBuffer, pageSize, pageSizeIn, testRunProgram } from "../kernel/index.ts";
import { kernelSuite } from "../testing/index.ts";
import { array, ProgramType, ringbuf, struct, u32, u64 } from "../types/index.ts";
import { load, readRingBuffer } from "./index.ts";

const test = kernelSuite("ring buffers");

const Event = struct("event", { number: u64, size: u32 });
const events = ringbuf("events", { value: Event, maxEntries: pageSize() });
const counter = array("counter", { value: u64, maxEntries: 1 });

/** Sends {next number, 7} with the items of `put`, with the record at r10 - 16; returns r0 of `put`. */
function producer(put: readonly Item[]) {
  return program({
    name: "producer",
    type: ProgramType.XDP,
    section: "xdp",
    maps: [events, counter],
    items: [
      store("u32", r10, -20, 0),
      mov(r2, r10),
      add(r2, -20),
      loadMap(r1, counter),
      call("bpf_map_lookup_elem"),
      jeq(r0, 0, "none"),
      ldx("u64", r6, r0, 0),
      add(r6, 1),
      store("u64", r0, 0, r6),
      store("u64", r10, -16, r6),
      store("u64", r10, -8, 7),
      ...put,
      exit(),
      label("none"),
      mov(r0, -1),
      exit(),
    ],
  });
}

const output = [loadMap(r1, events), mov(r2, r10), add(r2, -16), mov(r3, 16), mov(r4, 0), call("bpf_ringbuf_output")];
const packet = { data: new Uint8Array(64) };

test("records arrive in order, even around the end of the buffer, and a full buffer rejects records", () => {
  const collection = load([producer(output)]);
  const { fd } = collection.program("producer");
  const reader = readRingBuffer(events, collection.map(events).fd);
  const expected: bigint[] = [];
  const seen: bigint[] = [];
  // A page is not a multiple of 24 bytes, so records wrap around its end.
  const room = Math.floor(pageSize() / 24);
  for (let round = 0; round < 5; round++) {
    for (let i = 0; i < room - 1; i++) {
      assert.is(testRunProgram(fd, packet).returnValue, 0);
      expected.push(BigInt(expected.length + 1));
    }
    const records = reader.read();
    assert.ok(records.every(({ size }) => size === 7));
    seen.push(...records.map(({ number }) => number));
  }
  assert.equal(seen, expected);
  assert.equal(reader.read(), []);

  let written = 0;
  while (testRunProgram(fd, packet).returnValue === 0) written++;
  assert.ok(written >= room - 1 && written <= room, `${written} of ${room}`);
  assert.is(reader.read().length, written);
  assert.is(testRunProgram(fd, packet).returnValue, 0);
  reader.close();
  reader.close();
  assert.throws(() => reader.read(), /cannot read the ring buffer: it was closed/);
  collection.close();
});

test("discarded records are skipped", () => {
  const reserve = [
    loadMap(r1, events),
    mov(r2, 16),
    mov(r3, 0),
    call("bpf_ringbuf_reserve"),
    jeq(r0, 0, "full"),
    mov(r7, r0),
    store("u64", r7, 0, r6),
    store("u64", r7, 8, 7),
    mov(r1, r7),
    mov(r2, 0),
    call("bpf_ringbuf_discard"),
    label("full"),
  ];
  const collection = load([producer([...reserve, ...output])]);
  const reader = readRingBuffer(events, collection.map(events).fd);
  for (let i = 0; i < 3; i++) testRunProgram(collection.program("producer").fd, packet);
  assert.equal(
    reader.read().map(({ number }) => number),
    [1n, 2n, 3n],
  );
  reader.close();
  collection.close();
});

test("records are yielded as they arrive", async () => {
  const collection = load([producer(output)]);
  const reader = readRingBuffer(events, collection.map(events).fd);
  const stop = new AbortController();
  setTimeout(() => testRunProgram(collection.program("producer").fd, packet), 30);
  const seen: bigint[] = [];
  for await (const { number } of reader.records({ interval: 5, signal: stop.signal })) {
    seen.push(number);
    if (seen.length === 1) testRunProgram(collection.program("producer").fd, packet);
    else stop.abort();
  }
  assert.equal(seen, [1n, 2n]);
  reader.close();
  collection.close();
});

test("another kind of map is refused", () => {
  const collection = load([], { maps: [counter] });
  assert.throws(() => openRingBuffer(collection.map(counter).fd, 4096), /mmap failed/);
  collection.close();
});

test("the page size is read from the auxiliary vector", () => {
  const words = (...values: bigint[]) => new Uint8Array(new BigUint64Array(values).buffer);
  assert.is(pageSizeIn(words(3n, 99n, 6n, 16_384n, 0n, 0n)), 16_384);
  assert.throws(() => pageSizeIn(words(3n, 99n)), RangeError);
});

test.run();
