/**
 * What programs of the DSL do: each case is a socket filter and the number that
 * it returns. Each is compiled for every instruction set, with and without
 * optimisation, and run in the simulator; and, as it is loaded, in the kernel.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { add, mov, r0, r1, r2, type HelperName } from "../asm/index.ts";
import { linux } from "../kernel/index.ts";
import { hasHelper, instructionSetLevel, load } from "../loader/index.ts";
import { simulate, SimulatedMaps } from "../sim/index.ts";
import { kernelSuite } from "../testing/index.ts";
import {
  arrayOf,
  be16,
  be32,
  global,
  hash,
  i16,
  i32,
  i64,
  i8,
  ipv4,
  ipv6,
  percpuArray,
  array,
  ProgramType,
  readOnlyGlobal,
  struct,
  u16,
  u32,
  u64,
  u8,
  type GlobalVariable,
} from "../types/index.ts";
import {
  socketFilter,
  subprogram,
  type IpAddress,
  type IpAddressField,
  type BuilderWith,
  type Scalar,
} from "./index.ts";

type Filter = Parameters<typeof socketFilter>[1];

const Pair = struct("pair", { first: u32, second: u64 });
const Mixed = struct("mixed", { small: u8, port: be16, address: ipv4, wide: u64, list: arrayOf(u16, 3) });
const V4 = struct("v4", { address: ipv4 });
const V6 = struct("v6", { address: ipv6, port: be16 });
const table = hash("table", { key: Pair, value: Mixed, maxEntries: 8 });
const byAddress = hash("by_address", { key: V6, value: u32, maxEntries: 8 });
const numbers = array("numbers", { value: u32, maxEntries: 8 });
const perCpu = percpuArray("per_cpu", { value: u64, maxEntries: 1 });
const counter = global("counter", u32, 40);
const limit = readOnlyGlobal("limit", u32, 7);

const mix = subprogram("mix", { a: u32, b: u32 }, u32, (b, { a, b: other }) => {
  b.if(a.gt(other), () => b.return(a.sub(other)));
  return a.mul(3).add(other);
});
const nested = subprogram("nested", { a: u32 }, u32, (b, { a }) => b.call(mix, { a, b: 10 }).add(1));

const unknowns = new Map<number, GlobalVariable<typeof u32>>();

/** The number as a variable's, which no compiler can know before. */
function unknown<K extends "u32" | "u64">(b: BuilderWith, schema: { readonly scalar: K }, value: number): Scalar<K> {
  let variable = unknowns.get(value);
  if (variable === undefined) unknowns.set(value, (variable = global(`unknown_${value}`, u32, value)));
  const found = b.global(variable).value;
  return (schema.scalar === "u64" ? found.to(u64) : found) as Scalar<K>;
}

const cases: Readonly<
  Record<
    string,
    {
      readonly returns: number;
      readonly filter: Filter;
      readonly helper?: HelperName;
      /** The lowest instruction set that can express the case; 1 unless given. */
      readonly isa?: 3;
    }
  >
> = {
  "arithmetic of 32 bits wraps": { returns: 0xffff_fffe, filter: (b) => unknown(b, u32, 0xffff_ffff).mul(2) },
  "narrow kinds wrap at their own width": {
    returns: 44 + 0xfff0,
    filter: (b) =>
      unknown(b, u32, 200)
        .to(u8)
        .add(100)
        .to(u32)
        .add(unknown(b, u32, 0x10).to(u16).negate().to(u32)),
  },
  "signed kinds divide, shift and compare by sign": {
    returns: 3 + 10 + 100 + 1000,
    filter: (b) => {
      const negative = unknown(b, u32, 0xffff_fff8).to(i32);
      const sum = b.variable(u32, 0);
      b.if(negative.shr(1).eq(-4), () => sum.set(sum.get().add(3)));
      b.if(negative.lt(0), () => sum.set(sum.get().add(10)));
      b.if(negative.to(i64).lt(-7), () => sum.set(sum.get().add(100)));
      b.if(unknown(b, u32, 0xff80).to(i8).to(i16).eq(-128), () => sum.set(sum.get().add(1000)));
      return sum.get();
    },
  },
  "atomic operations give the value from before": {
    returns: 40 + 5 + 100 + 1000 + 10_000,
    isa: 3,
    filter: (b) => {
      const pair = b.struct(Pair, { first: unknown(b, u32, 40), second: unknown(b, u64, 5) });
      const sum = b.variable(u32, pair.first.atomicFetchAdd(2));
      sum.set(sum.get().add(pair.second.atomicExchange(7).to(u32)));
      b.if(pair.first.eq(42), () => sum.set(sum.get().add(100)));
      // The first attempt finds 42 and writes nothing; the second one writes.
      b.if(pair.first.atomicCompareExchange(40, 1).eq(42), () =>
        b.if(pair.first.atomicCompareExchange(42, 9).eq(42), () =>
          b.if(pair.first.eq(9), () => sum.set(sum.get().add(1000))),
        ),
      );
      b.if(pair.second.atomicCompareExchange(7, 0x2_0000_0000n).eq(7), () =>
        b.if(pair.second.shr(33).eq(1), () => sum.set(sum.get().add(10_000))),
      );
      return sum.get();
    },
  },
  "division by zero is zero, remainder the dividend": {
    returns: 17,
    filter: (b) =>
      unknown(b, u32, 17)
        .div(unknown(b, u32, 0))
        .add(unknown(b, u32, 17).mod(unknown(b, u32, 0))),
  },
  "64 bits": {
    returns: 0x1234,
    filter: (b) => unknown(b, u64, 0x1234).shl(40).or(0xffn).shr(40).to(u32),
  },
  "not, xor, and": { returns: 0xf0, filter: (b) => unknown(b, u32, 0x0f).not().and(0xff).xor(0) },
  "byte order": {
    returns: 0x3412 + 1,
    filter: (b) => {
      const port = unknown(b, u32, 0x1234).to(u16).toBig();
      const raw = b.struct(struct("raw", { port: be16 }), { port });
      const same = b.variable(u32, 0);
      b.if(raw.port.eq(be16(0x1234)), () => same.set(1));
      return raw.port
        .toHost()
        .toBig()
        .toHost()
        .to(u32)
        .and(0xff)
        .shl(8)
        .or(unknown(b, u32, 0x12))
        .add(same.get());
    },
  },
  "if, else and early return": {
    returns: 5,
    filter: (b) => {
      b.if(
        unknown(b, u32, 3).gt(4),
        () => b.return(1),
        () => b.if(unknown(b, u32, 3).eq(3), () => b.return(5)),
      );
      return 2;
    },
  },
  "and, or and not, the second half only where it matters": {
    returns: 0b10110,
    filter: (b) => {
      const x = unknown(b, u32, 6);
      const bits = b.variable(u32, 0);
      const set = (bit: number) => () => bits.set(bits.get().or(1 << bit));
      b.if(
        x.eq(6).and(() => x.gt(6)),
        set(0),
      );
      b.if(
        x.eq(6).and(() => x.lt(7)),
        set(1),
      );
      b.if(
        x.eq(1).or(() => x.eq(6)),
        set(2),
      );
      b.if(
        x
          .eq(6)
          .or(() => x.eq(1))
          .not(),
        set(3),
      );
      b.if(
        x
          .eq(1)
          .and(() => x.eq(2))
          .not(),
        set(4),
      );
      return bits.get();
    },
  },
  "select and switch": {
    returns: 32,
    filter: (b) => {
      const x = unknown(b, u32, 3);
      const sum = b.variable(u32, 0);
      b.switch(
        x,
        [
          [1, () => sum.set(10)],
          [3, () => sum.set(30)],
        ],
        () => sum.set(99),
      );
      b.switch(x, [[7, () => sum.set(70)]], () => sum.set(sum.get().add(1)));
      return sum.get().add(b.select(x.gt(2), x.div(3), 50));
    },
  },
  "loops, break and continue": {
    returns: 0 + 1 + 2 + 3 + 4 + 6 + 7,
    filter: (b) => {
      const sum = b.variable(u32, 0);
      b.loop(20, (i) => {
        b.if(i.eq(5), () => b.continue());
        b.if(i.eq(8), () => b.break());
        sum.set(sum.get().add(i));
      });
      return sum.get();
    },
  },
  "loops in loops, over a count that is known at run time": {
    returns: 3 * 4,
    filter: (b) => {
      const sum = b.variable(u32, 0);
      b.loop(unknown(b, u32, 3).and(7), () => b.loop(4, () => sum.set(sum.get().add(1))));
      return sum.get();
    },
  },
  "structs on the stack: fields, arrays, padding, comparison and copies": {
    returns: 7 + 20 + 300,
    filter: (b) => {
      const x = unknown(b, u32, 7);
      const one = b.struct(Mixed, {
        small: x.to(u8),
        port: be16(80),
        address: ipv4("192.0.2.1"),
        wide: x.to(u64),
        list: [1, 2, 3],
      });
      const other = b.zeroed(Mixed);
      const sum = b.variable(u32, one.small.to(u32));
      b.if(b.equal(one, other), () => sum.set(1000));
      b.assign(other, one);
      b.if(b.equal(one, other), () => sum.set(sum.get().add(20)));
      other.list.at(2).set(300);
      b.if(b.equal(one, other), () => sum.set(1000));
      return sum.get().add(other.list.at(2).to(u32));
    },
  },
  "maps: update, lookup, write in place, delete": {
    returns: 5 + 60 + 700,
    filter: (b) => {
      const key = b.struct(Pair, { first: 1, second: unknown(b, u64, 2) });
      const sum = b.variable(u32, 0);
      b.lookup(table, key).match(
        () => b.return(1),
        () => {
          b.update(table, key, { small: 5, port: be16(1), address: ipv4("10.0.0.1"), wide: 6, list: [0, 0, 60] });
        },
      );
      b.lookup(table, { first: 1, second: 2 }).ifFound((value) => {
        sum.set(value.small.to(u32).add(value.list.at(2).to(u32)));
        value.wide.atomicAdd(1);
      });
      const again = b.lookup(table, key).orReturn(2);
      b.if(again.wide.eq(7), () => sum.set(sum.get().add(700)));
      b.if(b.delete(table, key).ne(0), () => b.return(3));
      b.lookup(table, key).ifFound(() => b.return(4));
      b.update(table, key, { small: 5, port: be16(1), address: ipv4("10.0.0.1"), wide: 6, list: [0, 0, 60] });
      b.if(
        b
          .lookup(table, key)
          .isFound()
          .not()
          .or(() => b.lookup(table, { first: 2, second: 2 }).isFound()),
        () => b.return(6),
      );
      b.delete(table, key);
      b.if(
        b
          .lookup(table, key)
          .isFound()
          .and(() => unknown(b, u32, 1).eq(1)),
        () => b.return(7),
      );
      return sum.get();
    },
  },
  "arrays, per-CPU arrays, elements by a number of run time": {
    returns: 9 + 2,
    filter: (b) => {
      b.update(numbers, 3, 9);
      b.lookup(perCpu, 0).ifFound((own) => own.value.set(2));
      const own = b.lookup(perCpu, 0).orReturn(1);
      const list = b.struct(struct("list", { values: arrayOf(u32, 4) }), { values: [0, 1, 2, 3] });
      const index = list.values.at(unknown(b, u32, 7).and(3));
      return b.lookup(numbers, index).orReturn(2).value.add(own.value.to(u32));
    },
  },
  "the first of several places": {
    returns: 31,
    filter: (b) => {
      const places = [10, 20, 30].map((first) => b.struct(Pair, { first, second: 0 }));
      const found = b.first(places, (place) => place.first.gt(unknown(b, u32, 20))).orReturn(1);
      b.first(places, (place) => place.first.eq(99)).ifFound(() => b.return(2));
      b.if(b.first(places, (place) => place.first.eq(99)).isFound(), () => b.return(3));
      return found.first.add(1);
    },
  },
  "IPv6 addresses": {
    returns: 1 + 20 + 300 + 4000,
    filter: (b) => {
      const key = b.struct(V6, { address: "2001:db8::1", port: be16(53) });
      b.update(byAddress, key, 1);
      const sum = b.variable(u32, b.lookup(byAddress, { address: "2001:db8::1", port: be16(53) }).orReturn(9).value);
      b.if(
        key.address.eq("2001:db8::1").and(() => key.address.ne("2001:db8::2")),
        () => sum.set(sum.get().add(20)),
      );
      b.if(key.address.isV4Mapped(), () => b.return(8));
      key.address.v4().set(b.struct(V4, { address: ipv4("192.0.2.33") }).address);
      b.if(
        key.address.isV4Mapped().and(() => key.address.eq("::ffff:192.0.2.33")),
        () => sum.set(sum.get().add(300)),
      );
      b.if(key.address.v4().eq(be32(0xc000_0221)), () => sum.set(sum.get().add(4000)));
      b.delete(byAddress, { address: "2001:db8::1", port: be16(53) });
      return sum.get();
    },
  },
  "addresses of either family": {
    returns: 1 + 20 + 300 + 4000,
    filter: (b) => {
      const sum = b.variable(u32, 0);
      const count = (address: IpAddress, other: IpAddress, text: string, each: number) =>
        b.if(
          address.eq(text).and(() => address.ne(other)),
          () => sum.set(sum.get().add(each)),
        );
      const write = (field: IpAddressField, text: string) => field.set(text);
      const [one, other] = [b.struct(V6, { address: "2001:db8::1", port: be16(53) }), b.zeroed(V6)];
      const [one4, other4] = [b.struct(V4, { address: ipv4("192.0.2.33") }), b.zeroed(V4)];
      count(one.address, other.address, "2001:db8::1", 1);
      count(one4.address, other4.address, "192.0.2.33", 20);
      write(other4.address, "192.0.2.34");
      other.address.set(other4.address);
      count(other.address, one.address, "::ffff:192.0.2.34", 300);
      write(other.address.v4(), "192.0.2.35");
      count(other.address.v4(), one4.address, "192.0.2.35", 4000);
      return sum.get();
    },
  },
  "subprograms, one calling the other": {
    returns: 5 * 3 + 10 + 1 + (20 - 10 + 1),
    filter: (b) => b.call(nested, { a: unknown(b, u32, 5) }).add(b.call(nested, { a: unknown(b, u32, 20) })),
  },
  "global variables": {
    returns: 48,
    filter: (b) => {
      const shared = b.global(counter);
      shared.value.set(shared.value.add(1));
      return b.global(counter).value.add(b.global(limit).value);
    },
  },
  "a loop by a helper": {
    returns: 10 + 100,
    helper: "bpf_loop",
    filter: (b) => {
      const state = b.struct(struct("state", { sum: u32, rounds: u32 }), { sum: 0, rounds: 0 });
      b.bpfLoop(1000, state, (body, i, inner) => {
        inner.sum.set(inner.sum.add(i));
        body.if(i.eq(4), () => body.return(1));
      });
      return state.sum.add(100);
    },
  },
  "raw instructions between": {
    returns: 12,
    filter: (b) => b.assembly([mov(r0, r1), add(r0, r2)], unknown(b, u64, 5), u64(7n)).to(u32),
  },
};

const simulated = suite("dsl: semantics, in the simulator");
for (const [name, { returns, filter, isa: lowest = 1 }] of Object.entries(cases)) {
  simulated(name, () => {
    const source = socketFilter("filter", filter);
    for (const isa of [1, 2, 3, 4] as const) {
      if (isa < lowest) {
        assert.throws(() => source.compile({ isa }), /needs instruction set 3/);
        continue;
      }
      for (const optimise of [true, false]) {
        const program = source.compile({ isa, optimise, validate: true });
        assert.is(
          simulate(program, { maps: new SimulatedMaps() }).returned >>> 0,
          returns >>> 0,
          `isa ${isa}, ${optimise ? "" : "not "}optimised`,
        );
      }
    }
  });
}
simulated.run();

const onKernel = kernelSuite("dsl: semantics, in the kernel");
for (const [name, { returns, filter, helper, isa = 1 }] of Object.entries(cases)) {
  onKernel(name, () => {
    if (isa > instructionSetLevel()) {
      process.stderr.write(`SKIPPED, ${name}: this kernel lacks instruction set ${isa}\n`);
      return;
    }
    if (helper !== undefined && !hasHelper(helper, ProgramType.SOCKET_FILTER)) {
      process.stderr.write(`SKIPPED, ${name}: this kernel has no ${helper}\n`);
      return;
    }
    using collection = load([socketFilter("filter", filter)]);
    assert.is(
      linux.testRunProgram(collection.program("filter").fd, { data: new Uint8Array(64) }).returnValue >>> 0,
      returns >>> 0,
    );
  });
}
onKernel.run();
