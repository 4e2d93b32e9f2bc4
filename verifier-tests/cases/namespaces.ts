/** Identities of network namespaces: from the kernel, or else from a program. */
import { namespaceCookieOf, withSocket } from "../../src/kernel/index.ts";
import { NamespaceReader } from "../../src/lb/index.ts";
import { observed, type Case } from "../suite/case.ts";
import { inTestCgroup } from "../suite/cgroup.ts";

export const namespaces: readonly Case[] = [
  {
    name: "network namespaces/the cookie of this one",
    expect: observed({ "5.10": "read by a program", "6.1": "read by a program, equal to the kernel's" }),
    run: () =>
      inTestCgroup((cgroup) =>
        cgroup.inside(() => {
          using reader = new NamespaceReader(() => undefined);
          const seen = reader.cookie();
          const told = withSocket(namespaceCookieOf);
          const value =
            seen === 0n
              ? "not read"
              : told === undefined
                ? "read by a program"
                : told === seen
                  ? "read by a program, equal to the kernel's"
                  : "different";
          return { kind: "observed", value };
        }),
      ),
  },
];
