/** IPv6 addresses in contexts: the verifier takes the width of each access. */
import * as assert from "uvu/assert";
import { load } from "../loader/index.ts";
import { kernelSuite } from "../testing/index.ts";
import { cgroup } from "./index.ts";

const test = kernelSuite("dsl: IPv6 addresses in contexts");

for (const [name, source] of [
  [
    "srcIp6 of post_bind6 is read",
    cgroup.postBind6("p", (b, ctx) => {
      b.if(ctx.srcIp6.eq("fd00::1"), () => b.return(0));
      return 1;
    }),
  ],
  [
    "userIp6 of connect6 is read and written",
    cgroup.connect6("p", (b, ctx) => {
      b.if(ctx.userIp6.isV4Mapped(), () => ctx.userIp6.set("fd00::1"));
      return 1;
    }),
  ],
  [
    "msgSrcIp6 of sendmsg6 is read and written",
    cgroup.sendmsg6("p", (b, ctx) => {
      b.if(ctx.msgSrcIp6.eq("::"), () => ctx.msgSrcIp6.set("fd00::1"));
      return 1;
    }),
  ],
] as const) {
  test(name, () => {
    using loaded = load([source]);
    assert.is(loaded.programs.size, 1);
  });
}

test.run();
