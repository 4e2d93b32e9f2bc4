/** How network namespaces are told apart: by the kernel, or, where it does not say, by a program. */
import { namespaceCookieOf, withSocket } from "../../src/kernel/index.ts";
import { NamespaceReader } from "../../src/lb/index.ts";
import { observed, type Case } from "../suite/case.ts";
import { inTestCgroup } from "../suite/cgroup.ts";

export const namespaces: readonly Case[] = [
  {
    name: "network namespaces/the number of this one",
    expect: observed({ "5.10": "seen by a program", "6.1": "seen by a program as the kernel tells it" }),
    run: () =>
      inTestCgroup((cgroup) =>
        cgroup.inside(() => {
          using reader = new NamespaceReader(() => undefined);
          const seen = reader.cookie();
          const told = withSocket(namespaceCookieOf);
          const value =
            seen === 0n
              ? "not seen"
              : told === undefined
                ? "seen by a program"
                : told === seen
                  ? "seen by a program as the kernel tells it"
                  : "not the same";
          return { kind: "observed", value };
        }),
      ),
  },
];
