/**
 * The verifier's rules as types: each case does what the kernel would refuse,
 * and the line above it says that the type checker refuses it first. A rule
 * that is lost fails `tsc`. verifier-tests/ has, for each, the program in raw
 * instructions and the kernel's refusal.
 *
 * Most of these programs cannot be built either; what building says is checked
 * where there is something to say.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  be16,
  hash,
  ipv4,
  ipv6,
  ringbuf,
  skStorage,
  struct,
  u16,
  u32,
  u64,
  u8,
  type IpAddressSchema,
} from "../types/index.ts";
import {
  BuildError,
  cgroup,
  PROCEED,
  REJECT,
  xdp,
  XdpAction,
  type BuilderOf,
  type BuilderWith,
  type Condition,
  type ContextOf,
  type IpAddress,
  type Ref,
  type Scalar,
} from "./index.ts";

const rules = suite("dsl: the verifier's rules");

const Key = struct("rules_key", { address: ipv4, port: be16 });
const Value = struct("rules_value", { count: u32, small: u8 });
const counters = hash("counters", { key: Key, value: Value, maxEntries: 16 });
const storage = skStorage("storage", { value: Value });
const events = ringbuf("events", { value: Value, maxEntries: 4096 });

/** Builds without keeping the result; gives the error's message where it cannot be built. */
function built(source: { build(): unknown }): string | undefined {
  try {
    source.build();
    return undefined;
  } catch (error) {
    assert.instance(error, Error);
    return (error as Error).message;
  }
}

rules("code that follows the rules is accepted", () => {
  const error = built(
    cgroup.connect4("good", (b, ctx) => {
      const found = b.lookup(counters, { address: ctx.userIp4, port: ctx.userPort }).orReturn(PROCEED);
      b.if(
        found.count.gt(3).and(() => found.small.ne(0)),
        () => b.return(REJECT),
      );
      found.count.set(found.count.add(1));
      ctx.userPort.set(be16(8080));
      b.setRetval(-1);
      return PROCEED;
    }),
  );
  assert.is(error, undefined);
});

rules("a lookup that may be null has no fields", () => {
  const error = built(
    cgroup.connect4("p", (b, ctx) => {
      const found = b.lookup(counters, { address: ctx.userIp4, port: ctx.userPort });
      // @ts-expect-error a lookup's fields are behind .orReturn(), .ifFound() and .match()
      const count: Scalar<"u32"> = found.count;
      b.if(count.eq(1), () => b.return(REJECT));
      return PROCEED;
    }),
  );
  assert.match(error!, "nothing may have been found, so .count may not be there: write .orReturn(…)");
});

rules("a field that a hook may only read cannot be written", () => {
  const error = built(
    cgroup.connect4("p", (_b, ctx) => {
      // @ts-expect-error protocol has no .set()
      void ctx.protocol.set;
      return PROCEED;
    }),
  );
  assert.is(error, undefined);
});

rules("a field that a hook may not see is not there", () => {
  built(
    cgroup.connect4("p", (_b, ctx) => {
      // @ts-expect-error userIp6 is for the IPv6 hooks
      void ctx.userIp6;
      // @ts-expect-error msgSrcIp4 is for sendmsg4
      void ctx.msgSrcIp4;
      return PROCEED;
    }),
  );
  built(
    cgroup.sendmsg4("p", (_b, ctx) => {
      void ctx.msgSrcIp4;
      return PROCEED;
    }),
  );
  built(
    cgroup.sockRelease("p", (_b, ctx) => {
      // @ts-expect-error srcPort is for post_bind
      void ctx.srcPort;
      return PROCEED;
    }),
  );
});

rules("a helper that a hook lacks is an error with the reason", () => {
  const error = built(
    cgroup.recvmsg4("p", (b) => {
      // @ts-expect-error bpf_set_retval is not for recvmsg4
      b.setRetval(-1);
      return PROCEED;
    }),
  );
  assert.match(
    error!,
    "no helper setRetval for programs of cgroup/recvmsg4: bpf_set_retval (Linux 5.18) serves cgroup/connect4",
  );
});

rules("a hook's programs return what it takes", () => {
  cgroup.recvmsg4(
    "p",
    () =>
      // @ts-expect-error recvmsg programs return 1
      REJECT,
  );
  cgroup.connect4(
    "p",
    () =>
      // @ts-expect-error connect programs return 0 or 1
      2,
  );
  cgroup.recvmsg4("p", (b) => {
    // @ts-expect-error nor may they on the way
    b.return(0);
    return PROCEED;
  });
  cgroup.recvmsg4("p", (b, ctx) => {
    // @ts-expect-error nor where a lookup found nothing
    b.lookup(counters, { address: ctx.userIp4, port: ctx.userPort }).orReturn(REJECT);
    return PROCEED;
  });
  xdp(
    "p",
    () =>
      // @ts-expect-error XDP has no action 7
      7,
  );
  xdp("p", () => XdpAction.PASS);
});

rules("a shared step cannot return what one of its callers may not", () => {
  const refuse = (b: { return: (result: 0 | 1) => void }) => b.return(0);
  cgroup.connect4("p", (b) => {
    refuse(b);
    return PROCEED;
  });
  cgroup.recvmsg4("p", (b) => {
    // @ts-expect-error this step returns 0 as well
    refuse(b);
    return PROCEED;
  });
});

rules("a step that names its hooks has what all of them have", () => {
  type Request = typeof cgroup.connect4 | typeof cgroup.connect6;
  const refuse = (b: BuilderOf<Request>, ctx: ContextOf<Request>) => {
    b.setRetval(-1);
    b.if(ctx.userPort.toHost().eq(23), () => b.return(REJECT));
    // @ts-expect-error only the context of connect4 has it
    void ctx.userIp4;
  };
  const error = built(
    cgroup.connect4("p", (b, ctx) => {
      refuse(b, ctx);
      return PROCEED;
    }),
  );
  assert.is(error, undefined);
  cgroup.recvmsg4("p", (b, ctx) => {
    // @ts-expect-error recvmsg4 is not among the step's hooks, and has no setRetval
    refuse(b, ctx);
    return PROCEED;
  });
  const common = (b: BuilderOf<typeof cgroup.connect4 | typeof cgroup.recvmsg4>) => {
    b.return(PROCEED);
    // @ts-expect-error recvmsg4 returns 1 only
    b.return(REJECT);
    // @ts-expect-error recvmsg4 lacks it
    void b.setRetval;
  };
  void common;
});

rules("values of equal schemas stand for each other", () => {
  const Same = struct("rules_other_name", { count: u32, small: u8 });
  const Other = struct("rules_value", { count: u32, large: u16 });
  const accepted = cgroup.connect4("p", (b) => {
    const value = b.struct(Value, { count: 1, small: 2 });
    b.if(b.equal(value, b.struct(Same, { count: 1, small: 2 })), () => {});
    b.assign(value, b.zeroed(Same));
    return PROCEED;
  });
  assert.is(built(accepted), undefined);
  const refused = cgroup.connect4("p", (b) => {
    // @ts-expect-error its second field is another
    b.if(b.equal(b.zeroed(Value), b.zeroed(Other)), () => {});
    return PROCEED;
  });
  assert.match(built(refused)!, /two values of one schema: field 2 is small in one and large in the other/);
});

rules("keys and values have their map's shape, every field set", () => {
  const error = built(
    cgroup.connect4("p", (b, ctx) => {
      // @ts-expect-error port is missing
      b.lookup(counters, { address: ctx.userIp4 });
      return PROCEED;
    }),
  );
  assert.match(error!, /field port of struct rules_key is not set/);
  const other = built(
    cgroup.connect4("p", (b, ctx) => {
      // @ts-expect-error the key has no field zone
      b.lookup(counters, { address: ctx.userIp4, port: ctx.userPort, zone: 1 });
      return PROCEED;
    }),
  );
  assert.match(other!, /struct rules_key has no field zone/);
  const swapped = built(
    cgroup.connect4("p", (b, ctx) => {
      // @ts-expect-error the port is not an address
      b.lookup(counters, { address: ctx.userPort, port: ctx.userPort });
      return PROCEED;
    }),
  );
  assert.match(swapped!, /be32 and be16 do not mix/);
  const unset = built(
    cgroup.connect4("p", (b) => {
      // @ts-expect-error a struct on the stack is set in all its fields
      b.struct(Value, { count: 1 });
      return PROCEED;
    }),
  );
  assert.match(unset!, /field small of struct rules_value is not set/);
});

rules("maps are used as what they are", () => {
  cgroup.connect4("p", (b, ctx) => {
    // @ts-expect-error socket storage is not looked up by key
    b.lookup(storage, 0);
    // @ts-expect-error nor a ring buffer
    b.lookup(events, undefined);
    // @ts-expect-error a hash is not a socket storage
    b.skStorageGet(counters, ctx.sk);
    // @ts-expect-error the socket is not a map
    b.skStorageGet(ctx.sk, storage);
    return PROCEED;
  });
});

rules("byte orders do not mix", () => {
  const error = built(
    cgroup.connect4("p", (b, ctx) => {
      const host: Scalar<"u16"> = ctx.userPort.toHost();
      b.if(host.eq(80), () => {});
      b.if(ctx.userPort.eq(be16(80)), () => {});
      b.if(ctx.userPort.toHost().toBig().eq(ctx.userPort), () => {});
      return PROCEED;
    }),
  );
  assert.is(error, undefined);
  assert.match(
    built(
      cgroup.connect4("p", (b, ctx) => {
        // @ts-expect-error a plain number has no byte order: write be16(…)
        b.if(ctx.userPort.eq(80), () => {});
        return PROCEED;
      }),
    )!,
    /a plain number has no byte order: write be16\(80\)/,
  );
  assert.match(
    built(
      cgroup.connect4("p", (b, ctx) => {
        // @ts-expect-error be16 and u16 do not mix: use .toHost()
        b.if(ctx.userPort.eq(ctx.userPort.toHost()), () => {});
        return PROCEED;
      }),
    )!,
    /be16 and u16 do not mix/,
  );
  assert.match(
    built(
      cgroup.connect4("p", (_b, ctx) => {
        // @ts-expect-error be16 and be32 do not mix
        ctx.userPort.set(ctx.userIp4);
        return PROCEED;
      }),
    )!,
    /be16 and be32 do not mix/,
  );
  assert.match(
    built(
      cgroup.connect4("p", (_b, ctx) => {
        // @ts-expect-error be32 and u32 do not mix: use .toHost()
        ctx.userIp4.set(ctx.protocol);
        return PROCEED;
      }),
    )!,
    /be32 and u32 do not mix/,
  );
  assert.match(
    built(
      cgroup.connect4("p", (_b, ctx) => {
        // @ts-expect-error big-endian numbers have no arithmetic
        ctx.userPort.add(be16(1));
        return PROCEED;
      }),
    )!,
    "write .toHost().add(…)",
  );
  assert.match(
    built(
      cgroup.connect4("p", (b, ctx) => {
        // @ts-expect-error nor an order
        const low: Condition = ctx.userPort.lt(be16(1024));
        b.if(low, () => b.return(REJECT));
        return PROCEED;
      }),
    )!,
    "write .toHost().lt(…)",
  );
});

rules("numbers of different widths do not mix", () => {
  assert.match(
    built(
      cgroup.connect4("p", (b, ctx) => {
        // @ts-expect-error u32 and u64 do not mix: convert one with .to(…)
        b.if(ctx.protocol.eq(b.getSocketCookie(ctx)), () => {});
        return PROCEED;
      }),
    )!,
    /u32 and u64 do not mix/,
  );
  assert.match(
    built(
      cgroup.connect4("p", (b, ctx) => {
        // @ts-expect-error u32 and u16 do not mix
        b.if(ctx.protocol.eq(u16(6)), () => {});
        return PROCEED;
      }),
    )!,
    /no number of kind u32/,
  );
  assert.is(
    built(
      cgroup.connect4("p", (b, ctx) => {
        b.if(ctx.protocol.to(u64).eq(b.getSocketCookie(ctx)), () => {});
        return PROCEED;
      }),
    ),
    undefined,
  );
});

rules("addresses and numbers do not mix", () => {
  cgroup.connect4("p", (b, ctx) => {
    const found = b.lookup(counters, { address: ctx.userIp4, port: ctx.userPort });
    // @ts-expect-error a lookup's result is not a number
    b.if(ctx.protocol.eq(found), () => {});
    const there = found.orReturn(PROCEED);
    // @ts-expect-error nor is the struct that it found
    b.if(ctx.protocol.eq(there), () => {});
    // @ts-expect-error nor is a pointer of the kernel's
    b.if(ctx.protocol.eq(ctx.sk), () => {});
    // @ts-expect-error a number is not a context
    b.getSocketCookie(ctx.protocol);
    // @ts-expect-error a number is not a socket
    b.skStorageGet(storage, ctx.protocol);
    return PROCEED;
  });
});

rules("the result of a lookup ends with its branch", () => {
  let kept: Ref<typeof Value> | undefined;
  const error = built(
    cgroup.connect4("p", (b, ctx) => {
      b.lookup(counters, { address: ctx.userIp4, port: ctx.userPort }).ifFound((found) => {
        kept = found;
      });
      void kept!.count;
      return PROCEED;
    }),
  );
  assert.match(error!, /this memory is used outside of the branch or loop in which it was made/);
});

rules("nor does a number that was made in a branch", () => {
  let kept: Scalar<"u32"> | undefined;
  const error = built(
    cgroup.connect4("p", (b, ctx) => {
      b.if(ctx.protocol.eq(6), () => {
        kept = ctx.protocol.add(1);
      });
      b.if(kept!.eq(7), () => b.return(REJECT));
      return PROCEED;
    }),
  );
  assert.match(error!, /a value of kind u32 is used outside of the branch/);
});

rules("a lookup that found nothing must be dealt with", () => {
  const error = built(
    cgroup.connect4("p", (b, ctx) => {
      b.lookup(counters, { address: ctx.userIp4, port: ctx.userPort }).orElse(() => {});
      return PROCEED;
    }),
  );
  assert.match(error!, /must return or leave the loop/);
});

rules("an error names the line of the program", () => {
  try {
    cgroup
      .connect4("p", (_b, ctx) => {
        (ctx.userPort as unknown as { set(value: unknown): void }).set(80);
        return PROCEED;
      })
      .build();
    assert.unreachable();
  } catch (error) {
    assert.instance(error, BuildError);
    assert.match((error as BuildError).source!.file, /rules\.test\.ts$/);
    const line = new Error().stack!.match(/rules\.test\.ts:(\d+)/)![1]!;
    assert.is(Number(line) - (error as BuildError).source!.line, 8);
  }
});

rules("addresses of either family compare and are written within one family", () => {
  const Entry = (address: IpAddressSchema) => struct("rules_entry", { address });
  const same = (b: BuilderWith, left: IpAddress, right: IpAddress | string) => b.if(left.eq(right), () => {});
  const error = built(
    cgroup.connect6("good", (b, ctx) => {
      const [entry4, entry6] = [b.zeroed(Entry(ipv4)), b.zeroed(Entry(ipv6))];
      same(b, ctx.userIp6, entry6.address);
      same(b, ctx.userIp6, "2001:db8::1");
      same(b, ctx.userIp6.v4(), entry4.address);
      same(b, ctx.userIp6.v4(), "192.0.2.1");
      entry4.address.set(ctx.userIp6.v4());
      // An IPv6 field takes an IPv4 address in its mapped form.
      ctx.userIp6.set(entry4.address);
      return PROCEED;
    }),
  );
  assert.is(error, undefined);

  const mixed = built(
    cgroup.connect6("p", (b, ctx) => {
      same(b, ctx.userIp6, ctx.userIp6.v4());
      return PROCEED;
    }),
  );
  assert.match(mixed!, /an IPv6 address and an IPv4 address do not mix/);
  const mixedTheOtherWay = built(
    cgroup.connect6("p", (b, ctx) => {
      same(b, ctx.userIp6.v4(), ctx.userIp6);
      return PROCEED;
    }),
  );
  assert.match(mixedTheOtherWay!, /an IPv4 address and an IPv6 address do not mix/);
  const otherFamily = built(
    cgroup.connect4("p", (b, ctx) => {
      same(b, ctx.userIp4, "2001:db8::1");
      return PROCEED;
    }),
  );
  assert.match(otherFamily!, /"2001:db8::1" is not an IPv4 address/);
});

rules("an address that may be of either family is compared and written as a whole", () => {
  const either = (address: IpAddress) => address;
  built(
    cgroup.connect6("p", (b, ctx) => {
      const address = either(ctx.userIp6.v4());
      // @ts-expect-error a number of 16 bits is not an address
      either(ctx.userPort);
      // @ts-expect-error an address has no arithmetic
      void address.and;
      // @ts-expect-error the address may be an IPv6 one: a be32 takes an IPv4 address alone
      ctx.userIp6.v4().set(address);
      // @ts-expect-error likewise in a comparison
      b.if(ctx.userIp6.v4().eq(address), () => {});
      // @ts-expect-error an IPv6 address is compared with another
      b.if(ctx.userIp6.eq(address), () => {});
      // @ts-expect-error text stands for an address, not for a be32
      ctx.userIp6.v4().set("192.0.2.1");
      // @ts-expect-error only a field can be written
      void address.set;
      return PROCEED;
    }),
  );
});

rules.run();
